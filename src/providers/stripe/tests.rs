//! Requests, pages and keys of Stripe, as values.

use super::*;

fn at(cursor: Option<&str>) -> Position {
    Position { from_s: 10, to_s: 20, cursor: cursor.map(str::to_owned), limit: 100 }
}

#[test]
fn a_request_names_both_ends_of_its_window() {
    let charges = PROVIDER.stream("charges").unwrap();
    assert_eq!(request(charges, &at(None)).path, "/v1/charges?limit=100&created[gte]=10&created[lt]=20");
    let path = request(charges, &at(Some("ch_1"))).path;
    assert_eq!(path, "/v1/charges?limit=100&created[gte]=10&created[lt]=20&starting_after=ch_1");
    // Whatever an id holds, it stays an id.
    let odd = request(charges, &at(Some("ch_1&limit=1#"))).path;
    assert!(odd.ends_with("&starting_after=ch_1%26limit%3D1%23"), "{odd}");
    assert_eq!(one(charges, "ch_1/../x?").path, "/v1/charges/ch_1%2F..%2Fx%3F");
}

#[test]
fn keys_are_known_by_their_form() {
    let form = |text: &str| key(text.as_bytes()).map(|form| (form.live, form.full_access)).map_err(|p| p.code());
    assert_eq!(form("rk_live_51Abcdefghij"), Ok((true, false)));
    assert_eq!(form("sk_test_51Abcdefghij"), Ok((false, true)));
    assert_eq!(form("pk_live_51Abcdefghij"), Err("key.publishable"));
    for text in
        ["", "sk_", "rk_live_", "rk_live_short", "rk_prod_51Abcdefghij", "sk_live_51Abc defghij", "whsec_51Abcdefghij"]
    {
        assert_eq!(form(text), Err("key.form"), "{text}");
    }
}

#[test]
fn exponents_are_stripes_own() {
    for (currency, decimals) in [("eur", 2), ("jpy", 0), ("kwd", 3), ("ugx", 2), ("isk", 2), ("clp", 0), ("mga", 0)] {
        assert_eq!(exponent(currency), Some(decimals), "{currency}");
    }
    assert_eq!(exponent("EUR"), None);
    assert_eq!(exponent("euro"), None);
}
