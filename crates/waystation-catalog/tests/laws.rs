//! Laws that hold for any names, texts and changes.

use std::sync::LazyLock;

use proptest::prelude::*;
use waystation_catalog::{Catalog, Changes, Override, source::Rows};

#[expect(
    clippy::unwrap_used,
    reason = "without the catalogue there is nothing to test"
)]
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::bundled().unwrap());

fn any_model() -> impl Strategy<Value = usize> {
    0..CATALOG.models().count()
}

proptest! {
    /// However a slug is spelled, it finds its provider.
    #[test]
    fn a_slug_finds_its_provider_however_it_is_spelled(
        place in 0..CATALOG.providers().count(),
        upper: bool,
        around in " {0,2}",
        between in "[-_ .]?",
    ) {
        let slug = &CATALOG.providers().nth(place).unwrap().upstream.slug;
        let mut name = slug.as_str().replace('-', &between);
        if upper {
            name = name.to_uppercase();
        }
        let name = format!("{around}{name}{around}");
        prop_assert_eq!(CATALOG.providers_named(&name), [slug]);
    }

    /// A known id is its own suggestion, in any case and with any routing suffix.
    #[test]
    fn a_known_id_suggests_itself(place in any_model(), suffix in "(:nitro|:floor|:online)?") {
        let id = &CATALOG.models().nth(place).unwrap().id;
        let text = format!("{id}{suffix}").to_uppercase();
        prop_assert_eq!(CATALOG.suggest(&text), Some(id));
    }

    /// No text panics, and what is suggested exists.
    #[test]
    fn any_text_is_safe_to_look_up(text in ".{0,60}") {
        if let Some(id) = CATALOG.suggest(&text) {
            prop_assert!(CATALOG.model(id.as_str()).is_some());
        }
        let _ = (CATALOG.model(&text), CATALOG.provider(&text), CATALOG.latest(&text));
        let _ = CATALOG.providers_named(&text);
    }

    /// No bytes panic where a catalogue is read.
    #[test]
    fn any_bytes_are_safe_to_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Catalog::from_gzip(&bytes).is_err());
        let _ = Rows::from_json(&bytes).map(|rows| Catalog::from_rows(&rows).is_ok());
    }

    /// An exact id selects that model's rows and no others.
    #[test]
    fn an_override_by_id_touches_one_model(place in any_model()) {
        let model = CATALOG.models().nth(place).unwrap();
        let off = Override {
            model: Some(model.id.to_string()),
            enabled: Some(false),
            ..Override::default()
        };
        let changes = Changes { overrides: vec![off], ..Changes::default() };
        let (changed, warnings) = CATALOG.with(changes).unwrap();
        prop_assert_eq!(warnings.is_empty(), !model.endpoints.is_empty());
        for (before, after) in CATALOG.models().zip(changed.models()) {
            let left = if before.id == model.id { 0 } else { before.endpoints.len() };
            prop_assert_eq!(after.endpoints.len(), left);
        }
    }
}

/// Changing nothing changes nothing.
#[test]
fn no_change_is_no_change() {
    let (same, warnings) = CATALOG.with(Changes::default()).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(format!("{same:?}").len(), format!("{:?}", *CATALOG).len());
}
