//! The projection and the grammar, on small declarations.

use std::sync::Arc;

use super::*;
use crate::problem;

mod part;

const PAYMENTS: &str = "\
-- One payment.
CREATE TABLE demo_payments (
  account     INTEGER NOT NULL REFERENCES accounts, -- - | ops | account
  id          TEXT NOT NULL,    -- id | id | its id
  amount      INTEGER,          -- amount (minor) | measure | minor units
  currency    TEXT,             -- currency (lower) | vocab | code
  fee         INTEGER,          -- fee (decimal currency) | measure | minor units
  fee_e8      INTEGER,          -- fee (e8) | measure | exact
  created_at  INTEGER,          -- created (unix) | time | when
  done_at     INTEGER,          -- done (iso) | time | when
  live        INTEGER,          -- live (boolean) | ops | mode
  brand       TEXT,             -- card.brand | vocab | brand
  country     TEXT,             -- card.country | vocab | country
  card_token  TEXT,             -- card.fingerprint (keyed) | token | card
  customer    TEXT,             -- customer | reference | customer id
  payer_token TEXT,             -- customer (keyed) | token | payer
  note        TEXT,             -- note | text | free text
  meta        TEXT,             -- metadata (allowed) | reference | chosen keys
  seen_at     INTEGER,          -- - | ops | first stored
  PRIMARY KEY (account, id)
);
-- not kept: card.last4 | card · email | direct (never) · junk.* | direct
-- not kept: actions.secret | direct

-- each: actions[] (newest first)
-- One action of a payment.
CREATE TABLE demo_actions (
  account    INTEGER NOT NULL, -- - | ops | account
  payment_id TEXT NOT NULL, -- ^id | id | the payment
  id         TEXT NOT NULL, -- id | id | its id
  status     TEXT, -- status (lower) | vocab | state
  place      INTEGER, -- # | ops | position
  charged    INTEGER, -- sum.charged (decimal sum.currency) | measure | minor units
  currency   TEXT, -- sum.currency (lower) | vocab | code
  PRIMARY KEY (account, id)
);
";

struct Plain;
impl Tokens for Plain {
    fn token(&self, scope: &str, value: &str, out: &mut String) {
        out.push_str(scope);
        out.push('=');
        out.push_str(value);
    }
}

const LIST: Shape = Shape { records: Some("data"), leaves: &["has_more", "next"] };

fn projection(profile: Profile) -> (Declaration, Projection) {
    let declaration = Declaration::parse("demo.sql", PAYMENTS).unwrap();
    let exponent = |code: &str| match code {
        "jpy" => Some(0),
        "eur" => Some(2),
        "kwd" => Some(3),
        _ => None,
    };
    let projection = Projection::new(&declaration, profile, Arc::new(Plain), exponent, &["order".to_owned()]);
    (declaration, projection)
}

/// The rows of a table as text, `-` for absent, `null` for null.
fn show(page: &Page, table: usize) -> Vec<String> {
    let rows = &page.tables[table];
    let cell = |cell: &Cell| match cell {
        Cell::Absent => "-".to_owned(),
        Cell::Null => "null".to_owned(),
        Cell::Int(number) => number.to_string(),
        text => page.text(*text).to_owned(),
    };
    (0..rows.len()).map(|row| rows.row(row).iter().map(cell).collect::<Vec<_>>().join("|")).collect()
}

fn read(profile: Profile, body: &str) -> Page {
    projection(profile).1.page(body.as_bytes().to_vec(), &LIST).unwrap()
}

#[test]
fn declared_leaves_become_cells_and_nothing_else_does() {
    let page = read(
        Profile::Finance,
        r#"{"object":"list","has_more":true,"next":null,"data":[{"id":"p_1","amount":100,"currency":"EUR","fee":-0.25,
        "created":1700000000,"done":"2023-08-24T14:15:26.3448464+00:00","live":true,"email":"jane@example.org",
        "card":{"brand":"visa","country":"DE","fingerprint":"F1","last4":"4242"},"customer":"Jo@Example.org","note":"a\nb",
        "metadata":{"order":"7","name":"Jane"},"junk":{"deep":{"er":1}}}]}"#,
    );
    assert_eq!(
        show(&page, 0),
        ["p_1|100|eur|-25|-25000000|1700000000000|1692886526344|1|visa|DE|demo.card_token=F1|Jo@Example.org|\
          demo.payer_token=jo@example.org|a\nb|{\"order\":\"7\"}"]
    );
    assert_eq!(page.leaves, [Some(Leaf::Bool(true)), Some(Leaf::Null)]);
    assert!(page.drift.is_empty(), "{:?}", page.drift);
    assert!(!page.made.contains("jane@"), "what is not declared becomes no value");
}

#[test]
fn absent_is_not_null_and_a_null_object_makes_its_leaves_null() {
    let page = read(Profile::Finance, r#"{"data":[{"id":"a"},{"id":"b","card":null,"amount":null}]}"#);
    assert_eq!(show(&page, 0), ["a|-|-|-|-|-|-|-|-|-|-|-|-|-|-", "b|null|-|-|-|-|-|-|null|null|null|-|-|-|-"]);
}

#[test]
fn a_profile_leaves_classes_out_without_drift() {
    let body = r#"{"data":[{"id":"a","customer":"c","note":"n"}]}"#;
    let (declaration, strict) = projection(Profile::Strict);
    let page = strict.page(body.as_bytes().to_vec(), &LIST).unwrap();
    let names: Vec<_> = strict.columns(0).iter().map(|c| declaration.main().columns[*c].name.as_str()).collect();
    assert!(!names.contains(&"customer") && !names.contains(&"note") && names.contains(&"payer_token"));
    assert!(page.drift.is_empty());
    assert_eq!(show(&read(Profile::Standard, body), 0), ["a|-|-|-|-|-|-|-|-|-|-|c|demo.payer_token=c|-"]);
}

#[test]
fn an_odd_record_is_counted_with_id_and_reason_and_stops_nothing() {
    let page = read(
        Profile::Standard,
        r#"{"data":[{"id":"a","amount":"12 secret"},{"id":"b","done":"yesterday"},{"amount":1},17,{"id":"c c"},
        {"id":"d","fee":"1.234","currency":"eur"},{"id":"e","fee":"1","currency":"xxx"},{"id":"f","amount":1.5},
        {"id":"g","card":"visa"},{"id":"h","currency":{"a":1}},{"id":"i","amount":18446744073709551615},{"id":"j","card":[]},
        {"id":"k","card":18446744073709551615},{"id":"ok"}]}"#,
    );
    let told: Vec<_> = page.rejected.iter().map(|r| (r.id.as_str(), r.reason, r.column.as_str())).collect();
    assert_eq!(
        told,
        [
            ("a", "unexpected_text", "amount"),
            ("b", "not_a_time", "done_at"),
            ("", "missing", "id"),
            ("", "not_an_object", "id"),
            ("", "not_an_id", "id"),
            ("d", "not_a_decimal", "fee"),
            ("e", "unknown_currency", "fee"),
            ("f", "unexpected_fraction", "amount"),
            ("g", "not_an_object", "brand"),
            ("h", "not_a_scalar", "currency"),
            ("i", "not_a_scalar", "amount"),
            ("j", "not_an_object", "brand"),
            ("k", "not_an_object", "brand"),
        ]
    );
    assert_eq!((page.records, show(&page, 0).len()), (14, 1));
    assert!(!format!("{:?}", page.rejected).contains("secret"));
}

#[test]
fn a_record_that_is_no_json_is_rejected_alone() {
    let page = read(
        Profile::Standard,
        r#"{"data":[{"id":"a","actions":[{"id":"x"}]},{"id":"b","actions":[{"id":"y"}],"currency":"\ud800"},{"id":"c","amount":1e999}],
        "has_more":true}"#,
    );
    let told: Vec<_> = page.rejected.iter().map(|r| (r.id.as_str(), r.reason)).collect();
    assert_eq!(told, [("b", "not_json"), ("c", "not_json")]);
    assert_eq!((page.records, show(&page, 0).len(), show(&page, 1).len()), (3, 1, 1));
    assert_eq!(page.leaves[0], Some(Leaf::Bool(true)));
}

#[test]
fn text_that_is_no_utf_8_harms_only_where_it_would_be_kept() {
    let read = |body: &str| {
        let mut body = body.as_bytes().to_vec();
        body.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xff);
        projection(Profile::Standard).1.page(body, &LIST)
    };
    let page = read(r#"{"data":[{"id":"a","junk":{"x":"?"}},{"id":"b","note":"plain"}]}"#).unwrap();
    assert_eq!((page.records, show(&page, 0).len(), page.rejected.len()), (2, 2, 0));
    let kept = read(r#"{"data":[{"id":"a","customer":"?"}]}"#);
    assert!(matches!(kept, Err(Malformed::Json(1, _))), "{kept:?}");
}

#[test]
fn array_elements_become_child_rows() {
    let page = read(
        Profile::Standard,
        r#"{"data":[{"actions":[{"id":"x","status":"Evidence Required"},{"id":"y","status":5,"new_field":1},{"id":"x","status":"old"},
        {"status":"no id"}],"id":"p"},{"id":"q","amount":"bad","actions":[{"id":"z"}]},{"id":"r","actions":null}]}"#,
    );
    assert_eq!(show(&page, 1), ["p|x|evidence_required|0|-|-", "p|y|5|1|-|-"]);
    assert_eq!(page.tables[1].parents, [0, 0]);
    let told: Vec<_> = page.rejected.iter().map(|r| (r.table, r.id.as_str(), r.reason)).collect();
    assert_eq!(told, [(1, "", "missing"), (0, "q", "unexpected_text")]);
    assert_eq!(page.drift.get("actions[].new_field"), Some(&1));
}

#[test]
fn an_array_tells_its_length_and_a_refused_record_leaves_nothing() {
    let body = r#"{"data":[{"id":"p","actions":[{"id":"x"},{"id":"y"},{"status":"no id"}]},
        {"id":"q","actions":[{"id":"z"}],"amount":"bad"},{"id":"r","actions":null},{"id":"s","actions":[{"id":"w"}]}]}"#;
    let page = read(Profile::Standard, body);
    assert_eq!(page.tables[1].lengths, [(0, 3), (1, 0), (2, 1)]);
    assert_eq!(page.tables[1].parents, [0, 0, 2]);
    assert_eq!(show(&page, 1), ["p|x|-|0|-|-", "p|y|-|1|-|-", "s|w|-|0|-|-"]);
    assert_eq!((page.bytes(), page.tables[0].is_empty()), (body.len(), false));
    assert!(read(Profile::Standard, r#"{"data":[]}"#).tables[0].is_empty());
}

#[test]
fn the_last_id_is_that_of_the_last_record_even_of_a_refused_one() {
    let last = |records: &str| {
        let page = read(Profile::Standard, &format!(r#"{{"data":[{records}]}}"#));
        page.last_id().map(str::to_owned)
    };
    assert_eq!(last(""), None);
    assert_eq!(last(r#"{"id":"a"},{"id":"b"}"#).as_deref(), Some("b"));
    assert_eq!(last(r#"{"id":"a"},{"id":"b","actions":[{"status":"x"}],"amount":"bad"}"#).as_deref(), Some("b"));
    assert_eq!(last(r#"{"id":"a","amount":"bad"},{"id":"b"}"#).as_deref(), Some("b"));
    assert_eq!(last(r#"{"id":"a"},{"id":"b b"}"#), None);
}

#[test]
fn a_column_has_its_cell_where_the_profile_stores_it() {
    let (declaration, strict) = projection(Profile::Strict);
    let cell = |name: &str| strict.cell_of(declaration.main().column(name).unwrap());
    assert_eq!((cell("account"), cell("id"), cell("amount"), cell("customer")), (None, Some(0), Some(1), None));
    assert_eq!(cell("payer_token"), Some(11));
}

#[test]
fn decimals_of_an_element_are_converted_by_its_own_currency() {
    let page = read(
        Profile::Standard,
        r#"{"data":[{"id":"p","actions":[{"id":"x","sum":{"charged":"12.30","currency":"EUR"}},
        {"id":"y","sum":{"charged":7,"currency":"jpy"}},{"id":"z","sum":{"charged":"1.5","currency":"jpy"}}]}]}"#,
    );
    assert_eq!(show(&page, 1), ["p|x|-|0|1230|eur", "p|y|-|1|7|jpy"]);
    let told: Vec<_> = page.rejected.iter().map(|r| (r.id.as_str(), r.reason, r.column.as_str())).collect();
    assert_eq!(told, [("z", "not_a_decimal", "charged")]);
}

#[test]
fn how_a_text_is_spelt_does_not_matter() {
    let spelt = |currency: &str, fee: &str| {
        let page =
            read(Profile::Standard, &format!(r#"{{"data":[{{"id":"a","currency":"{currency}","fee":"{fee}"}}]}}"#));
        show(&page, 0)
    };
    let plain = spelt("eur", "1.50");
    assert!(plain[0].starts_with("a|-|eur|150|150000000|"), "{plain:?}");
    for (currency, fee) in [("\\u0065ur", "1.50"), ("EUR", "1\\u002e50"), ("\u{a0}eur", "1.50"), ("\\u00a0eur", "1.50")]
    {
        assert_eq!(spelt(currency, fee), plain, "{currency} {fee}");
    }
}

#[test]
fn a_fraction_kept_as_text_is_the_one_that_was_sent() {
    for number in ["4012497065374745.9", "0.30000000000000004", "68.5", "1.7976931348623157e308"] {
        let page = read(Profile::Finance, &format!(r#"{{"data":[{{"id":"a","note":{number}}}]}}"#));
        let kept = show(&page, 0)[0].split('|').nth(13).map(str::to_owned);
        assert_eq!(kept, Some(number.parse::<f64>().unwrap().to_string()), "{number}");
    }
}

#[test]
fn unknown_fields_are_counted_by_name_only() {
    let page = read(
        Profile::Standard,
        r#"{"data":[{"id":"a","novel":"v","card":{"chip":1}},{"id":"b","novel":{"x":2},"jane doe":1}]}"#,
    );
    let drift: Vec<_> = page.drift.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    assert_eq!(drift, [("card.chip", 1), ("novel", 2)]);
}

#[test]
fn what_is_no_page_is_malformed() {
    let (_, projection) = projection(Profile::Standard);
    let read = |body: &str| projection.page(body.as_bytes().to_vec(), &LIST).map(|page| page.records);
    assert_eq!(read(r#"{"data":[{"id":"a"}"#), Err(Malformed::Json(1, 19)));
    assert_eq!(read(r#"{"data":[]} {}"#), Err(Malformed::Trailing));
    assert_eq!(read(r#"{"error":{}}"#), Err(Malformed::NoRecords));
    assert_eq!(read("[]"), Err(Malformed::NoRecords));
    assert_eq!(read(r#"[{"id":"a"}]"#), Err(Malformed::NoRecords));
    assert!(matches!(read("<html>"), Err(Malformed::Json(..))));
    assert!(matches!(read(""), Err(Malformed::Json(..))));
    assert_eq!(read(r#"{"data":[]}"#), Ok(0));
    let one = projection.page(br#"{"id":"a"}"#.to_vec(), &Shape { records: None, leaves: &[] }).unwrap();
    assert_eq!(one.records, 1);
}

#[test]
fn a_fault_in_a_declaration_names_file_line_and_column() {
    for (sql, place) in [
        (
            "-- Doc.\nCREATE TABLE t (\n  id BLOB, -- id | id | x\n",
            "demo.sql line 3, column 3: a column is INTEGER or TEXT",
        ),
        ("-- Doc.\nCREATE TABLE t (\n  id TEXT -- id | idd | x\n", "demo.sql line 3, column 19: unknown class"),
        (
            "-- Doc.\nCREATE TABLE t (\n  id TEXT -- id (rot13) | id | x\n",
            "demo.sql line 3, column 18: unknown conversion",
        ),
        (
            "-- Doc.\nCREATE TABLE t (\n  ip TEXT -- ip | direct | x\n",
            "demo.sql line 3, column 19: class `direct` is never a column",
        ),
        (
            "-- Doc.\nCREATE TABLE t (\n  id TEXT\n",
            "demo.sql line 3, column 3: a column needs `-- path | class | meaning`",
        ),
        (
            "CREATE TABLE t (\n",
            "demo.sql line 1, column 1: a table needs a sentence above it that says what one row is",
        ),
        ("DROP TABLE t;\n", "demo.sql line 1, column 1: expected a comment, CREATE TABLE or CREATE INDEX"),
        ("-- Doc.\nCREATE TABLE T (\n", "demo.sql line 2, column 14: expected `CREATE TABLE name (`"),
        ("-- Doc.\nCREATE TABLE t (\n  Id TEXT, -- id | id | x\n", "demo.sql line 3, column 1: expected a column"),
        ("", "demo.sql line 0, column 1: no complete CREATE TABLE"),
        (
            "-- Doc.\nCREATE TABLE t (\n  account INTEGER -- - | ops | x\n  PRIMARY KEY (account)\n);\n\
             -- each: a[]\n-- Doc.\nCREATE TABLE u (\n  account INTEGER -- - | ops | x\n",
            "demo.sql line 9, column 1: no complete CREATE TABLE",
        ),
        ("-- each: a[] (oldest first)\n", "demo.sql line 1, column 9: after the array only `(newest first)` may stand"),
        (
            "-- Doc.\nCREATE TABLE t (\n  fee INTEGER -- fee (decimal) | measure | x\n",
            "demo.sql line 3, column 23: unknown conversion",
        ),
        (
            "-- Doc.\nCREATE TABLE t (\n  account INTEGER -- - | ops | x\n  fee INTEGER -- fee (decimal currency) | measure | x\n\
             PRIMARY KEY (account)\n);\n",
            "demo.sql: column t.fee refers to a path that no column declares",
        ),
        (
            "-- Doc.\nCREATE TABLE t (\n  account INTEGER -- - | ops | x\n  of TEXT -- ^id | id | x\n\
             PRIMARY KEY (account)\n);\n",
            "demo.sql: column t.of refers to a path that no column declares",
        ),
    ] {
        let fault = Declaration::parse("demo.sql", sql).unwrap_err();
        assert!(fault.is(&problem::DECLARATION));
        assert_eq!(fault.detail(), place);
    }
}

#[test]
fn a_conversion_may_be_named_though_it_is_the_usual_one() {
    let of = |kind, word| {
        let sql = format!(
            "-- Doc.\nCREATE TABLE t (\n  account INTEGER, -- - | ops | x\n  a {kind}, -- a ({word}) | vocab | x\n  PRIMARY KEY (account)\n);\n"
        );
        Declaration::parse("demo.sql", sql.leak()).map(|read| read.tables[0].columns[1].conversion.clone())
    };
    assert_eq!(of("TEXT", "text").unwrap(), Conversion::Text);
    assert_eq!(of("INTEGER", "integer").unwrap(), Conversion::Integer);
    assert!(of("INTEGER", "text").is_err() && of("TEXT", "integer").is_err(), "a conversion makes one type");
}

/// Windows that another declaration walked prove nothing: whatever decides what is stored must change the hash.
#[test]
fn the_hash_follows_what_is_stored_and_nothing_else() {
    let hash = |from: &str, to: &str| {
        assert!(PAYMENTS.contains(from), "{from}");
        Declaration::parse("demo.sql", PAYMENTS.replacen(from, to, 1).leak()).unwrap().hash
    };
    let own = hash("", "");
    assert!(own.len() == 16 && own.bytes().all(|byte| byte.is_ascii_hexdigit()), "{own}");
    for (from, to) in [
        ("-- card.brand ", "-- card.scheme "),
        ("(lower) | vocab | code", "(text) | vocab | code"),
        ("  brand  ", "  scheme"),
        ("  note  ", "  notes "),
        ("demo_actions", "demo_deeds"),
        ("-- id | id | its id\n  status", "-- number | id | its id\n  status"),
    ] {
        assert_ne!(hash(from, to), own, "{from} → {to}");
    }
    for (from, to) in
        [("| vocab | brand", "| reference | brand"), ("| free text", "| words"), ("-- One payment.", "-- A payment.")]
    {
        assert_eq!(hash(from, to), own, "{from} → {to}");
    }
}

#[test]
fn what_names_a_person_is_stored_by_no_profile() {
    const CLASSES: [&str; 10] =
        ["id", "token", "vocab", "measure", "time", "ops", "reference", "text", "card", "direct"];
    for (profile, stored) in [(Profile::Strict, 6), (Profile::Standard, 7), (Profile::Finance, 9)] {
        let classes = CLASSES.map(|name| Class::parse(name).unwrap().stored_in(profile));
        assert_eq!(classes.map(usize::from), std::array::from_fn(|at| usize::from(at < stored)), "{profile:?}");
    }
}

#[test]
fn records_of_either_mode_are_counted() {
    let (_, projection) = projection(Profile::Standard);
    let body =
        r#"{"data":[{"id":"a","email":true},{"id":"b","email":true},{"id":"c","email":false},{"id":"d","email":1}]}"#;
    let page = projection.telling_mode(Some("email")).page(body.as_bytes().to_vec(), &LIST).unwrap();
    assert_eq!((page.modes, page.records), ([1, 2], 4));
    assert_eq!(read(Profile::Standard, body).modes, [0, 0], "where no field tells it");
}

#[test]
fn an_id_is_text_and_other_texts_may_come_as_something_else() {
    let page = read(
        Profile::Finance,
        r#"{"data":[{"id":5},{"id":true},{"id":0.5},{"id":"a","note":true,"customer":12},{"id":"b","note":false}]}"#,
    );
    let reasons: Vec<_> = page.rejected.iter().map(|one| (one.reason, one.column.as_str())).collect();
    assert_eq!(reasons, [("unexpected_number", "id"), ("unexpected_boolean", "id"), ("unexpected_fraction", "id")]);
    assert_eq!(
        show(&page, 0),
        ["a|-|-|-|-|-|-|-|-|-|-|12|demo.payer_token=12|true|-", "b|-|-|-|-|-|-|-|-|-|-|-|-|false|-"]
    );
}

#[test]
fn an_element_that_is_no_object_is_rejected_and_what_is_around_it_stays() {
    for element in ["null", "[1]", "7", "true", "\"x\""] {
        let body = format!(r#"{{"data":[{{"id":"a","actions":[{element}]}},{{"id":"b","actions":[{{"id":"x"}}]}}]}}"#);
        let page = read(Profile::Standard, &body);
        let reasons: Vec<_> = page.rejected.iter().map(|one| one.reason).collect();
        assert_eq!((reasons, page.tables[0].len(), page.tables[1].len()), (vec!["not_an_object"], 2, 1), "{element}");
    }
}

#[test]
fn what_an_element_holds_and_is_not_kept_is_no_drift() {
    let body = r#"{"data":[{"id":"a","actions":[{"id":"x","secret":"s","novel":1}],"secret":2}]}"#;
    let drift = read(Profile::Standard, body).drift;
    assert_eq!(drift.keys().map(String::as_str).collect::<Vec<_>>(), ["actions[].novel", "secret"]);
}

#[test]
fn new_names_are_counted_up_to_a_bound() {
    let fields: Vec<String> = (0..70).map(|n| format!("\"novel_{n}\":1")).collect();
    let page = read(Profile::Standard, &format!(r#"{{"data":[{{"id":"a",{}}}]}}"#, fields.join(",")));
    assert_eq!((page.drift.len(), page.tables[0].len()), (64, 1));
}
