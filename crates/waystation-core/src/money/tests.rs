//! Decimals in and out, and where they are rounded or cut off.

use proptest::prelude::*;

use super::*;

#[test]
fn decimals_are_read_exactly() {
    let price = |text: &str| text.parse::<UsdPerMTok>();
    assert_eq!(price("0.15").unwrap().nanos(), 150_000_000);
    assert_eq!(price("1e-7").unwrap().nanos(), 100);
    assert_eq!(price("2.50").unwrap().to_string(), "2.5");
    assert!(matches!(price("-1"), Err(ParseMoneyError::Negative(_))));
    assert!(matches!(
        price("0.0000000001"),
        Err(ParseMoneyError::TooFine { .. })
    ));
    for bad in [
        "",
        "abc",
        "1,5",
        ".5",
        "1.",
        "0x1",
        "1e",
        "NaN",
        "inf",
        "99999999999999999999",
    ] {
        assert!(price(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn caps_are_cut_off_and_never_too_large() {
    let cap = |text: &str| UsdPerMTok::cap(text).unwrap().nanos();
    assert_eq!(cap("0.30000000000000004"), 300_000_000);
    assert_eq!(cap("0.2999999999999999"), 299_999_999);
    assert_eq!(cap("1e-30"), 0);
    assert_eq!(cap("1e-2147483000"), 0);
    assert_eq!(cap("0e99"), 0);
    for vast in ["1e30", "1.7976931348623157e+308", "99999999999999999999999"] {
        assert_eq!(cap(vast), u64::MAX, "{vast}");
    }
    assert_eq!(Usd::cap("1e300").unwrap().femtos(), u128::MAX);
    for bad in ["", "abc", "-1", "NaN", "1,5"] {
        assert!(UsdPerMTok::cap(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn reported_amounts_round_half_to_even() {
    let amount = |text: &str| Usd::from_decimal_rounded(text).unwrap().femtos();
    assert_eq!(amount("0.0000000000000005"), 0);
    assert_eq!(amount("0.0000000000000015"), 2);
    assert_eq!(amount("1.2e-5"), 12_000_000_000);
    assert_eq!(amount("1e-300"), 0);
    assert!(Usd::from_decimal_rounded("1e300").is_err());
}

#[test]
fn a_multiplier_rounds_half_to_even() {
    let half: Multiplier = "0.5".parse().unwrap();
    assert_eq!(UsdPerMTok::from_nanos(3).scaled(half).unwrap().nanos(), 2);
    assert_eq!(UsdPerMTok::from_nanos(5).scaled(half).unwrap().nanos(), 2);
}

proptest! {
    #[test]
    fn cost_is_additive(price: u64, a in 0_u64..1 << 40, b in 0_u64..1 << 40) {
        let price = UsdPerMTok::from_nanos(price);
        prop_assert_eq!(
            price.of(Tokens::new(a + b)),
            price.of(Tokens::new(a)) + price.of(Tokens::new(b))
        );
    }

    #[test]
    fn amounts_print_and_parse_back(femtos in 0..u128::MAX / 16) {
        let amount = Usd::from_femtos(femtos);
        let text = amount.to_string();
        prop_assert_eq!(Usd::from_decimal_rounded(&text).unwrap(), amount);
        prop_assert!(crate::Json::parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn what_is_written_is_what_is_shown(femtos: u64) {
        for femtos in [femtos, femtos % 1_000_000, femtos / 1_000_000 * 1_000_000] {
            let (amount, mut out) = (Usd::from_femtos(femtos.into()), Vec::new());
            amount.write(&mut out);
            prop_assert_eq!(out, amount.to_string().into_bytes());
        }
    }

    /// A price that may be is the same on both sides of the cut.
    #[test]
    fn a_price_is_a_cap_of_its_own(nanos: u64, more in "[0-9]{1,8}") {
        let text = UsdPerMTok::from_nanos(nanos).to_string();
        prop_assert_eq!(UsdPerMTok::cap(&text).unwrap().nanos(), nanos);
        let zeros = 9 - text.split_once('.').map_or(0, |(_, places)| places.len());
        let dot = if text.contains('.') { "" } else { "." };
        let finer = format!("{text}{dot}{}{more}", "0".repeat(zeros));
        prop_assert_eq!(UsdPerMTok::cap(&finer).unwrap().nanos(), nanos);
    }

    #[test]
    fn no_text_panics(text in "[0-9eE.+-]{0,30}") {
        let _ = text.parse::<Usd>();
        let _ = Usd::cap(&text);
        let _ = Usd::from_decimal_rounded(&text);
    }
}
