//! `openrouter:datetime`: what time it is, in a zone.

use async_trait::async_trait;
use waystation_core::{
    Cx, Json, ObjectWriter, RawJson, ServerTool, Spent, ToolOutcome, ToolSchema, UnixMs,
};

use crate::{calendar, web::wanted};

/// The tool. Its result is `{"datetime": "2026-11-22T09:30:00+01:00", "timezone": "Europe/Zurich"}`.
///
/// Source: API contract, section 7.7.
#[derive(Debug)]
pub(super) struct DateTime {
    /// The zone where a call names none.
    timezone: String,
}

// === impl DateTime ===

impl DateTime {
    /// Reads the parameters: `timezone`, a name of the IANA database; UTC where there is none.
    pub(super) fn read(parameters: Option<Json<'_>>) -> Result<Self, String> {
        let timezone = match parameters {
            Some(parameters) => wanted::text(parameters, "timezone")?,
            None => None,
        };
        let timezone = timezone.unwrap_or_else(|| "UTC".into());
        match calendar::in_zone(UnixMs::new(0), &timezone) {
            Some(_) => Ok(Self { timezone }),
            None => Err(format!("timezone: {}", unknown(&timezone))),
        }
    }

    fn told(&self, arguments: Json<'_>, now: UnixMs) -> Result<String, String> {
        let zone = wanted::text(arguments, "timezone")?;
        let zone = zone.filter(|zone| !zone.trim().is_empty());
        let zone = zone.unwrap_or_else(|| self.timezone.clone());
        let told = calendar::in_zone(now, &zone).ok_or_else(|| unknown(&zone))?;
        let mut out = Vec::new();
        let mut object = ObjectWriter::open(&mut out);
        object.string("datetime", &told).string("timezone", &zone);
        object.close();
        Ok(String::from_utf8(out).unwrap_or_default())
    }
}

fn unknown(zone: &str) -> String {
    format!("expected a name of the IANA time zone database such as Europe/Zurich, found {zone:?}")
}

#[async_trait]
impl ServerTool for DateTime {
    fn schema(&self) -> ToolSchema {
        let zone = &self.timezone;
        let parameters = serde_json::json!({
            "type": "object",
            "properties": {"timezone": {"type": "string",
                "description": format!("IANA name of a time zone, such as Europe/Zurich; {zone} if left out")}},
            "required": [],
        });
        ToolSchema {
            name: "datetime".into(),
            description: "Tells the current date and time.".into(),
            parameters: RawJson::of(&parameters),
        }
    }

    async fn call(&self, arguments: &RawJson, cx: &mut Cx<'_>) -> ToolOutcome {
        let told = self.told(arguments.json(), cx.clock.now().unix);
        ToolOutcome {
            failed: told.is_err(),
            content: told.unwrap_or_else(|reason| format!("error: {reason}")),
            spent: Spent::default(),
        }
    }
}
