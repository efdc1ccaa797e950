//! Tests of `declarations`: the files under `sql/` against the providers' published shapes, against the rules that a
//! declaration keeps, and against SQLite. The published shapes lie outside the repository; without them those tests say so.

mod program;
mod reader;
mod shapes;
mod views;

use std::collections::BTreeSet;

use reader::{Declaration, Known};
use serde_json::Value;
use shapes::Schema;

/// Declared paths that no published shape has which lies in the folder, with where they are from.
const FROM_ELSEWHERE: [(&str, &[&str], &str); 5] = [
    (
        "stripe/events",
        &["data.object.charge", "data.object.latest_charge"],
        "members of the objects that events show: a refund's and a dispute's charge, a payment intent's latest charge",
    ),
    (
        "stripe/charges",
        &[
            "presentment_details.presentment_amount",
            "presentment_details.presentment_currency",
            "payment_method_details.card.description",
            "payment_method_details.card.iin",
            "payment_method_details.card.issuer",
            "payment_method_details.card.three_d_secure.exemption_indicator_applied",
            "payment_method_details.card.electronic_commerce_indicator",
            "payment_method_details.card.stored_credential_usage",
            "payment_method_details.card.setup_credential_usage",
            "payment_method_details.card.moto",
            "payment_method_details.card.capture_before",
        ],
        "npm package stripe 23.1.0 (API version 2026-10-28.endive), esm/resources/Charges.d.ts",
    ),
    (
        "stripe/refunds",
        &[
            "presentment_details.presentment_amount",
            "presentment_details.presentment_currency",
            "pending_reason",
            "destination_details.card.reference",
            "destination_details.card.reference_status",
            "destination_details.card.reference_type",
        ],
        "npm package stripe 23.1.0, esm/resources/Refunds.d.ts",
    ),
    ("stripe/disputes", &["intended_submission_method"], "npm package stripe 23.1.0, esm/resources/Disputes.d.ts"),
    (
        "stripe/payment_intents",
        &[
            "presentment_details.presentment_amount",
            "presentment_details.presentment_currency",
            "payment_details.order_reference",
            "last_payment_error.advice_code",
            "last_payment_error.network_decline_code",
        ],
        "npm package stripe 23.1.0, esm/resources/PaymentIntents.d.ts",
    ),
];

/// Example leaves that a plain read never has: the example shows the object where the answer has its id.
const SHOWN_EXPANDED: [&str; 2] = ["transfer_data.destination.id", "transfer_data.destination.object"];

/// Everything published about one stream's records.
struct Published {
    stream: &'static str,
    document: Value,
    /// Pointers to schemas in the document (the record itself or an array of records), each with the path it stands at.
    schemas: Vec<(&'static str, String)>,
    examples: Vec<Value>,
}

impl Published {
    fn schemas(&self) -> impl Iterator<Item = (&str, Schema<'_>)> {
        self.schemas.iter().map(|(prefix, pointer)| {
            let schema = self.document.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
            (*prefix, Schema { document: &self.document, schema })
        })
    }

    fn has(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('.').collect();
        let in_schema = self.schemas().any(|(prefix, schema)| match prefix {
            "" => schema.has(&parts),
            _ => parts[0] == prefix && schema.has(&parts[1..]),
        });
        in_schema || self.examples.iter().any(|one| shapes::has(one, &parts))
    }
}

fn published() -> Option<Vec<Published>> {
    let Some(folder) = shapes::folder() else {
        crate::skip::skipped("no published shapes (set COUNTERFOIL_SHARED to the folder that holds psp/)");
        return None;
    };
    let fixtures = shapes::load(&folder, "stripe/fixtures.json");
    let spec = shapes::load(&folder, "stripe/openapi.v524.unexpanded.json");
    let stripe = [
        ("stripe/events", "event"),
        ("stripe/charges", "charge"),
        ("stripe/refunds", "refund"),
        ("stripe/disputes", "dispute"),
        ("stripe/payment_intents", "payment_intent"),
        ("stripe/balance_transactions", "balance_transaction"),
        ("stripe/payouts", "payout"),
    ];
    let mut all: Vec<Published> = Vec::new();
    for (stream, object) in stripe {
        let schemas = vec![("", format!("/components/schemas/{object}"))];
        let examples = vec![fixtures["resources"][object].clone()];
        assert!(examples[0].is_object(), "{object}");
        all.push(Published { stream, document: spec.clone(), schemas, examples });
    }
    let overlay = shapes::load(&folder, "checkout/openapi-mock-2026-overlay.yaml");
    let answer = |path: &str| {
        let path = path.replace('/', "~1");
        format!("/paths/{path}/get/responses/200/content/application~1json/schema")
    };
    let within = |schema: &str| format!("/components/schemas/{schema}/properties/data");
    let example = |name: &str| shapes::load(&folder, &format!("checkout/examples/{name}.200.json"));
    let mut by_reference = example("get-payments-by-reference")["data"].take();
    let mut payments =
        vec![example("get-payment"), example("post-payments-search")["data"].take(), by_reference.take()];
    // The actions of a payment, read on their own, have the shape of those within it.
    payments.push(serde_json::json!({ "actions": example("get-payment-actions") }));
    all.push(Published {
        stream: "checkoutcom/payments",
        document: overlay.clone(),
        schemas: vec![
            ("", within("PaymentSearchResponse")),
            ("", answer("/payments/{id}")),
            ("actions", answer("/payments/{id}/actions")),
        ],
        examples: payments,
    });
    all.push(Published {
        stream: "checkoutcom/disputes",
        schemas: vec![("", within("DisputePaged")), ("", answer("/disputes/{dispute_id}"))],
        document: overlay,
        examples: vec![example("get-dispute"), example("get-disputes")["data"].take()],
    });
    Some(all)
}

fn none(stream: &str, what: &str, found: &BTreeSet<String>) {
    assert!(found.is_empty(), "{stream}: {what}:\n  {}", found.iter().cloned().collect::<Vec<_>>().join("\n  "));
}

#[test]
fn every_declared_path_is_published() {
    for published in published().into_iter().flatten() {
        let declaration = reader::declaration(published.stream);
        assert!(!published.has("no_such_field") && !published.has("id.below"), "{}", published.stream);
        let elsewhere = FROM_ELSEWHERE.iter().filter(|(stream, ..)| *stream == published.stream);
        let elsewhere: BTreeSet<&str> = elsewhere.flat_map(|(_, paths, _)| paths.iter().copied()).collect();
        let unknown = declaration.paths().into_iter().map(|(path, _)| path).filter(|path| !published.has(path));
        let unknown: BTreeSet<String> = unknown.collect();
        let unexplained = unknown.iter().filter(|path| !elsewhere.contains(path.as_str())).cloned().collect();
        none(published.stream, "declared, but published nowhere", &unexplained);
        let needless = elsewhere.iter().filter(|path| !unknown.contains(**path)).map(|path| (*path).to_owned());
        none(published.stream, "an exception that is none", &needless.collect());
    }
}

#[test]
fn every_leaf_of_the_examples_is_declared_or_listed() {
    for published in published().into_iter().flatten() {
        let declaration = reader::declaration(published.stream);
        let mut leaves = Vec::new();
        published.examples.iter().for_each(|example| shapes::leaves(example, "", &mut leaves));
        assert!(leaves.len() > 12, "{}", published.stream);
        let unknown = leaves.into_iter().filter(|(path, value)| match declaration.knows(path) {
            Known::Whole => false,
            // Null stands for an object here, or an empty list.
            Known::Above => !value.is_null(),
            Known::No => !SHOWN_EXPANDED.contains(&path.as_str()),
        });
        none(published.stream, "in the examples, unknown here", &unknown.map(|(path, _)| path).collect());
    }
}

#[test]
fn every_path_of_the_schemas_is_declared_or_listed() {
    for published in published().into_iter().flatten() {
        let declaration = reader::declaration(published.stream);
        let (mut unknown, mut seen) = (BTreeSet::new(), 0);
        for (prefix, schema) in published.schemas() {
            schema.walk(prefix, &mut |path, leaf| {
                seen += 1;
                let known = declaration.knows(path);
                if known == Known::No || (leaf && known == Known::Above && !path.ends_with("actions")) {
                    unknown.insert(path.to_owned());
                }
                known == Known::Above
            });
        }
        assert!(seen > 9, "{}: only {seen} paths", published.stream);
        none(published.stream, "in the schema, unknown here", &unknown);
    }
}

#[test]
fn personal_candidates_are_direct_or_a_keyed_hash() {
    let Some(folder) = shapes::folder() else { return crate::skip::skipped("no published shapes") };
    let candidates = shapes::load(&folder, "stripe/pii-candidates.json");
    for published in published().into_iter().flatten().filter(|p| p.stream.starts_with("stripe/")) {
        let declaration = reader::declaration(published.stream);
        let object = published.stream.trim_start_matches("stripe/").trim_end_matches('s');
        let classes = candidates["resources"][object].as_object().unwrap();
        for (candidate, paths) in classes {
            for path in paths.as_array().unwrap().iter().filter_map(Value::as_str) {
                let path = path.replace("[]", "");
                let fits = |class: &str| match candidate.as_str() {
                    "free_text" => ["text", "reference", "direct"].contains(&class),
                    "account_fragment" => ["card", "direct"].contains(&class),
                    _ => class == "direct",
                };
                let declared = declaration.paths();
                let mut columns = declared.iter().filter(|(declared, _)| *declared == path).peekable();
                match columns.peek() {
                    Some(_) => {
                        assert!(columns.all(|(_, c)| c.conversion == "keyed" || fits(&c.class)), "{object} {path}")
                    }
                    None => assert!(declaration.listed_class(&path).is_some_and(fits), "{object} {path}: {candidate}"),
                }
            }
        }
    }
}

const CLASSES: [&str; 9] = ["id", "token", "vocab", "measure", "time", "ops", "reference", "text", "card"];

#[test]
fn every_column_has_one_class_and_a_meaning() {
    for table in reader::all().iter().flat_map(|declaration| &declaration.tables) {
        assert!(table.doc.ends_with('.') && table.doc.len() > 20, "{}: what is one row?", table.name);
        let names: BTreeSet<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names.len(), table.columns.len(), "{}: a column twice", table.name);
        for column in &table.columns {
            let at = format!("{}.{}", table.name, column.name);
            assert!(CLASSES.contains(&column.class.as_str()), "{at}: class {:?}", column.class);
            assert!(column.meaning.len() > 7, "{at}: {:?}", column.meaning);
            assert_eq!(column.class == "token", column.conversion == "keyed", "{at}: tokens are keyed, others are not");
            assert_eq!(column.class == "time", column.name.ends_with("_at") && column.path != "-", "{at}: time");
            let money = column.name == "amount" || column.name.starts_with("amount_");
            assert_eq!(money, column.conversion == "minor", "{at}: money is minor units and named so");
            assert!(!money || names.contains("currency"), "{at}: no currency beside it");
            let converted = ["unix", "iso", "minor", "boolean", "integer"].contains(&column.conversion.as_str());
            assert!(converted == (column.kind == "INTEGER") || column.conversion.is_empty(), "{at}: {}", column.kind);
        }
    }
}

#[test]
fn every_table_has_the_row_columns_and_a_key_of_its_account() {
    let row = ["seen_at INTEGER", "read_at INTEGER", "read_seq INTEGER", "source TEXT", "deleted_at INTEGER"];
    for table in reader::all().iter().flat_map(|declaration| &declaration.tables) {
        let filled = table.columns.iter().filter(|column| column.path == "-" && column.class == "ops");
        let filled: Vec<String> = filled.map(|column| format!("{} {}", column.name, column.kind)).collect();
        assert_eq!(filled[0], "account INTEGER", "{}", table.name);
        assert_eq!(filled[1..], row, "{}", table.name);
        let positional = table.columns.iter().any(|column| column.path == "#");
        let key = if positional { &["account", "balance_transaction_id", "position"][..] } else { &["account", "id"] };
        assert_eq!(table.key, key, "{}", table.name);
        assert!(["stripe_", "checkoutcom_"].iter().any(|provider| table.name.starts_with(provider)), "{}", table.name);
    }
}

#[test]
fn nothing_is_both_declared_and_listed() {
    let mut tables = BTreeSet::new();
    for declaration in reader::all() {
        let declared: BTreeSet<String> = declaration.paths().into_iter().map(|(path, _)| path).collect();
        let mut listed = BTreeSet::new();
        for (path, class) in &declaration.not_kept {
            assert!(CLASSES.contains(&class.as_str()) || class == "direct", "{path}: class {class:?}");
            assert!(listed.insert(path), "{path} is listed twice");
            assert!(!declared.contains(path) && !declared.contains(path.trim_end_matches(".*")), "{path} is declared");
        }
        tables.extend(declaration.tables.into_iter().map(|table| table.name));
    }
    let first = ["charges", "refunds", "disputes", "payment_intents", "balance_transactions", "payouts"];
    assert!(first.iter().all(|stream| tables.contains(&format!("stripe_{stream}"))), "{tables:?}");
    let more = ["payments", "payment_actions", "disputes"];
    assert!(more.iter().all(|stream| tables.contains(&format!("checkoutcom_{stream}"))), "{tables:?}");
}

#[test]
fn the_reader_of_this_test_reads_the_grammar() {
    let declaration: Declaration = reader::declaration("checkoutcom/payments");
    assert_eq!(declaration.knows("status"), Known::Whole);
    assert_eq!(declaration.knows("source"), Known::Whole); // `source.*`: also when it is no object
    assert_eq!(declaration.knows("3ds"), Known::Above);
    assert_eq!(declaration.knows("3ds.new_field"), Known::No);
    assert_eq!(declaration.knows("processing.partner_error_message"), Known::Whole);
    assert_eq!(declaration.knows("actions.processing.acquirer_reference_number"), Known::Whole);
    assert_eq!(declaration.knows("actions.new_field"), Known::No);
    assert_eq!(declaration.knows("metadata.order.line"), Known::Whole);
    let token = declaration.tables[0].columns.iter().find(|column| column.name == "card_token").unwrap();
    assert_eq!((token.path.as_str(), token.conversion.as_str()), ("source.fingerprint", "keyed"));
}
