//! How far the gateway's tools may be used: `max_tool_calls`, or the conditions of
//! `stop_server_tools_when`. Source: API contract, section 1.2.

use waystation_core::{ChatRequest, InvalidRequest, Json, Tokens, Usd};

use super::turn::Turn;

/// The most steps, whatever is said: a model that never ends would never end.
const MOST: u64 = 30;

/// Conditions, any of which ends the use of tools.
///
/// | type | member | met when |
/// |---|---|---|
/// | `step_count_is` | `step_count` | so many turns have called tools |
/// | `has_tool_call` | `tool_name` | this tool was run, named with or without prefix |
/// | `max_tokens_used` | `max_tokens` | all turns together took so many tokens, prompts included |
/// | `max_cost` | `max_cost_in_dollars` | all turns together cost so much; never where a price is unknown |
/// | `finish_reason_is` | `reason` | the last turn ended so |
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The most calls; none where there are conditions.
    calls: Option<u64>,
    conditions: Vec<Condition>,
}

/// One condition of `stop_server_tools_when`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// So many turns were made.
    Steps(u64),
    /// This tool was called.
    Called(String),
    /// So many tokens were used, prompts and answers together.
    Tokens(u64),
    /// So much was spent.
    Cost(Usd),
    /// The turn ended so.
    Finish(String),
}

/// The types of conditions, with the member that each has beside its type.
const TYPES: [(&str, &str); 5] = [
    ("step_count_is", "step_count"),
    ("has_tool_call", "tool_name"),
    ("max_tokens_used", "max_tokens"),
    ("max_cost", "max_cost_in_dollars"),
    ("finish_reason_is", "reason"),
];

// === impl Budget ===

impl Budget {
    /// What a request says.
    ///
    /// # Errors
    /// [`InvalidRequest`] for a condition that does not exist or makes no sense.
    pub(crate) fn of(chat: &ChatRequest) -> Result<Self, InvalidRequest> {
        let calls = chat
            .get("max_tool_calls")
            .and_then(Json::u64)
            .unwrap_or(MOST);
        let Some(list) = chat.get("stop_server_tools_when") else {
            return Ok(Self {
                calls: Some(calls),
                conditions: Vec::new(),
            });
        };
        let conditions = list.elements().enumerate().map(|(at, condition)| {
            let field = format!("stop_server_tools_when[{at}]");
            Condition::read(condition, &field)
        });
        let conditions: Vec<Condition> = conditions.collect::<Result<_, _>>()?;
        if conditions.is_empty() {
            let message = "expected at least one condition, found none";
            return Err(InvalidRequest::new("stop_server_tools_when", message));
        }
        Ok(Self {
            calls: None,
            conditions,
        })
    }

    /// How many more calls may be run, after so many.
    pub(super) fn left(&self, called: usize) -> usize {
        self.calls.map_or(usize::MAX, |most| {
            usize::try_from(most)
                .unwrap_or(usize::MAX)
                .saturating_sub(called)
        })
    }

    /// Whether the next turn is to be the last, without tools.
    pub(super) fn is_spent(
        &self,
        called: &[String],
        steps: u64,
        (turn, (tokens, cost)): (&Turn, (Tokens, Option<Usd>)),
    ) -> bool {
        let met = |condition: &Condition| match condition {
            Condition::Steps(most) => steps >= *most,
            Condition::Called(name) => called.iter().any(|call| is_same(call, name)),
            Condition::Tokens(most) => tokens.get() >= *most,
            Condition::Cost(most) => cost.is_some_and(|cost| cost >= *most),
            Condition::Finish(reason) => turn.finish().is_some_and(|own| own.as_str() == reason),
        };
        steps >= MOST || self.left(called.len()) == 0 || self.conditions.iter().any(met)
    }
}

/// Whether a condition names the tool that was called, with or without prefix.
fn is_same(called: &str, named: &str) -> bool {
    let bare = named.rsplit(':').next().unwrap_or(named);
    called == bare || called == named
}

impl Condition {
    fn read(condition: Json<'_>, field: &str) -> Result<Self, InvalidRequest> {
        let kind = condition
            .get("type")
            .and_then(Json::string)
            .unwrap_or_default();
        let Some((kind, key)) = TYPES.into_iter().find(|(known, _)| *known == kind) else {
            let known = TYPES.map(|(known, _)| known).join(", ");
            let message = format!("expected one of {known}, found {kind:?}");
            return Err(InvalidRequest::new(format!("{field}.type"), message));
        };
        let at = format!("{field}.{key}");
        let Some(value) = condition.get(key) else {
            return Err(InvalidRequest::new(
                at,
                format!("is missing beside {kind:?}"),
            ));
        };
        let wrong = |expected: &str| InvalidRequest::expected(at.clone(), expected, value);
        let count = || value.u64().ok_or_else(|| wrong("a whole number from 0 up"));
        let text = || {
            value
                .string()
                .map(Into::into)
                .ok_or_else(|| wrong("a string"))
        };
        Ok(match kind {
            "step_count_is" => Self::Steps(count()?),
            "has_tool_call" => Self::Called(text()?),
            "max_tokens_used" => Self::Tokens(count()?),
            "max_cost" => {
                let cost = Usd::from_decimal_rounded(&value.text());
                Self::Cost(cost.map_err(|_| wrong("an amount in dollars"))?)
            }
            _ => Self::Finish(text()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(text: &str) -> Result<Budget, InvalidRequest> {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"Hi"}}]{text}}}"#);
        Budget::of(&ChatRequest::parse(&body.into()).unwrap())
    }

    fn spent(budget: &Budget, called: &[&str], steps: u64) -> bool {
        let called: Vec<String> = called.iter().map(ToString::to_string).collect();
        let used = (Tokens::new(100), Some("0.5".parse().unwrap()));
        budget.is_spent(&called, steps, (&Turn::default(), used))
    }

    #[test]
    fn calls_are_counted_where_no_condition_is_given() {
        let two = budget(r#","max_tool_calls":2"#).unwrap();
        assert!(!spent(&two, &["a"], 1) && spent(&two, &["a", "a"], 1));
        assert_eq!((two.left(0), two.left(3)), (2, 0));
        let usual = budget("").unwrap();
        assert!(!spent(&usual, &["a"; 29], 29) && spent(&usual, &["a"; 30], 3));
        let endless =
            budget(r#","stop_server_tools_when":[{"type":"step_count_is","step_count":99}]"#);
        assert!(spent(&endless.unwrap(), &[], 30), "nothing is endless");
    }

    #[test]
    fn any_condition_ends_it() {
        let when = |condition: &str| {
            let text = format!(r#","max_tool_calls":1,"stop_server_tools_when":[{condition}]"#);
            budget(&text).unwrap()
        };
        let two = when(r#"{"type":"step_count_is","step_count":2}"#);
        assert!(
            !spent(&two, &["a", "a"], 1),
            "conditions take the place of the count"
        );
        assert!(spent(&two, &[], 2));
        let named = when(r#"{"type":"has_tool_call","tool_name":"openrouter:web_search"}"#);
        assert!(!spent(&named, &["datetime"], 1) && spent(&named, &["web_search"], 1));
        assert!(spent(
            &when(r#"{"type":"max_tokens_used","max_tokens":100}"#),
            &[],
            1
        ));
        assert!(!spent(
            &when(r#"{"type":"max_cost","max_cost_in_dollars":0.51}"#),
            &[],
            1
        ));
        assert!(spent(
            &when(r#"{"type":"max_cost","max_cost_in_dollars":0.5}"#),
            &[],
            1
        ));
    }

    #[test]
    fn conditions_that_make_no_sense_are_named() {
        for (condition, expected) in [
            (
                r#"{"type":"never"}"#,
                "stop_server_tools_when[0].type: expected one of step_count_is",
            ),
            (
                r#"{"type":"step_count_is"}"#,
                "stop_server_tools_when[0].step_count: is missing",
            ),
            (
                r#"{"type":"max_cost","max_cost_in_dollars":"x"}"#,
                "an amount in dollars",
            ),
        ] {
            let text = format!(r#","stop_server_tools_when":[{condition}]"#);
            let error = budget(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(budget(r#","stop_server_tools_when":[]"#).is_err());
    }
}
