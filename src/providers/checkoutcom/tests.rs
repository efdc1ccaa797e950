//! Requests, pages and keys of Checkout.com, as values.

use super::*;

fn at(limit: u32) -> Position {
    Position { from_s: 1_700_000_000, to_s: 1_700_003_600, cursor: None, limit }
}

#[test]
fn requests_name_their_window_in_whole_seconds() {
    let ask = request(PROVIDER.stream("disputes").unwrap(), &at(250));
    assert_eq!(ask.path, "/disputes?limit=250&skip=0&from=2023-11-14T22:13:20Z&to=2023-11-14T23:13:20Z");
    let ask = request(PROVIDER.stream("payments").unwrap(), &at(1000));
    assert_eq!(ask.path, "/payments/search");
    let body = r#"{"query":"amount:>=0","limit":1000,"from":"2023-11-14T22:13:20Z","to":"2023-11-14T23:13:20Z"}"#;
    assert_eq!(ask.body.as_deref(), Some(body));
}

#[test]
fn keys_are_known_by_their_form() {
    let form = |text: &str| key(text.as_bytes()).map(|form| form.live).map_err(|p| p.code());
    assert_eq!(form("sk_sbox_abcdefghijklmnopqrstuvwxyz2"), Ok(false));
    assert_eq!(form("sk_abcdefghijklmnopqrstuvwxyz*"), Ok(true));
    assert_eq!(form("pk_sbox_abcdefghijklmnopqrstuvwxyz2"), Err("key.publishable"));
    assert_eq!(form("sk_test_0b9b5db6-f223-49d0-b68f-f6643dd4f808"), Err("key.old_platform"));
    assert_eq!(form("sk_0b9b5db6-f223-49d0-b68f-f6643dd4f808"), Err("key.old_platform"));
    for text in ["", "sk_", "sk_sbox_abc", "sk_ABCDEFGHIJKLMNOPQRSTUVWXYZ2", "rk_live_51Abcdefghij"] {
        assert_eq!(form(text), Err("key.form"), "{text}");
    }
}

#[test]
fn exponents_are_checkout_coms_own() {
    for (currency, decimals) in [("eur", 2), ("clp", 2), ("isk", 0), ("ugx", 0), ("iqd", 3), ("mga", 2)] {
        assert_eq!(exponent(currency), Some(decimals), "{currency}");
    }
}

#[test]
fn a_payment_is_found_by_its_id_and_the_second_it_was_made_in() {
    let payments = PROVIDER.stream("payments").unwrap();
    let body = |id, made| find(payments, id, made).unwrap().body.unwrap();
    assert_eq!(body("pay_1", None), r#"{"query":"id:'pay_1'","limit":2}"#);
    let range = r#""from":"1970-01-01T00:00:10Z","to":"1970-01-01T00:00:11Z""#;
    assert_eq!(body("pay_1", Some(10)), format!(r#"{{"query":"id:'pay_1'","limit":2,{range}}}"#));
    assert!(find(PROVIDER.stream("disputes").unwrap(), "dsp_1", None).is_none(), "a search shows payments");
    assert_eq!(body(r#"a" OR 'b"#, None), r#"{"query":"id:'a\" OR b'","limit":2}"#);
}

#[test]
fn a_payment_read_by_its_id_takes_two_requests_and_a_dispute_one() {
    let [payments, disputes] = ["payments", "disputes"].map(|name| PROVIDER.stream(name).unwrap());
    assert_eq!((payments.one_takes(), disputes.one_takes()), (2, 1));
    assert_eq!(one(payments, "pay_1").path, "/payments/pay_1");
    let [actions] = payments.apart else { panic!("a payment has one part") };
    assert_eq!((actions.ask)("pay_1"), Ask { body: None, path: "/payments/pay_1/actions".to_owned() });
    assert_eq!((actions.ask)("../disputes?x").path, "/payments/..%2Fdisputes%3Fx/actions");
}
