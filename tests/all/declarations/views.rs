//! The shipped views on a database made from the declarations: they prepare, run, and say what their comments say.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::reader;

/// An empty store: accounts, all stream tables, all views.
pub(super) fn store() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE TABLE accounts (account INTEGER PRIMARY KEY)").unwrap();
    for (path, sql) in ["stripe", "checkoutcom", "views"].iter().flat_map(|folder| reader::files(folder)) {
        db.execute_batch(&sql).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    db.execute_batch("INSERT INTO accounts VALUES (1), (2)").unwrap();
    db
}

/// Adds a row of account 1 with these columns; the row columns are filled in.
fn add(db: &Connection, table: &str, columns: &str, values: &str) {
    let sql = format!(
        "INSERT INTO {table} (account, seen_at, read_at, read_seq, source, {columns}) VALUES (1, 0, 0, 1, 'list', {values})"
    );
    db.execute(&sql, []).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The rows that a query gives, columns parted by blanks.
pub(super) fn rows(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let width = statement.column_count();
    let text = |value: Value| match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text,
        Value::Blob(_) => "blob".to_owned(),
    };
    let read = statement.query_map([], |row| {
        let cells: rusqlite::Result<Vec<Value>> = (0..width).map(|column| row.get(column)).collect();
        Ok(cells?.into_iter().map(text).collect::<Vec<_>>().join(" "))
    });
    read.unwrap().map(Result::unwrap).collect()
}

const CHARGE: &str = "id, created_at, amount, currency, status, captured, outcome_type, method_type";

#[test]
fn every_view_runs_on_an_empty_store_and_says_what_it_is() {
    let db = store();
    let views = reader::files("views");
    for (path, sql) in &views {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(sql.starts_with("-- One row a ") || sql.starts_with("-- Ready answer: "), "{name}");
        assert!(
            sql.contains("\n-- Metric: ") || name == "currencies",
            "{name}: the metric's definition and its source"
        );
        assert_eq!(sql.matches("CREATE VIEW ").count(), 1, "{name}");
        assert!(sql.contains(&format!("\nCREATE VIEW {name} AS\n")), "{name}: the file is named after its view");
        let count = rows(&db, &format!("SELECT count(*) FROM {name}"));
        assert!(name == "currencies" || count == ["0"], "{name}: {count:?}");
        // Not in SQLite 3.31, with which the file must open: later words of the language.
        for word in
            [" RETURNING ", " STRICT", "->>", " iif(", " MATERIALIZED", " RIGHT JOIN", " FULL JOIN", "unixepoch("]
        {
            assert!(!sql.contains(word), "{name}: {word}");
        }
    }
    assert!(views.len() >= 10, "{}", views.len());
}

#[test]
fn outcomes_of_stripe_attempts() {
    let db = store();
    let day = 86_400_000_i64 * 20_000;
    for (id, rest) in [
        ("ch_1", "'succeeded', 1, 'authorized', 'card'"),
        ("ch_2", "'succeeded', 0, 'authorized', 'card'"),
        ("ch_3", "'failed', 0, 'issuer_declined', 'card'"),
        ("ch_4", "'failed', 0, 'blocked', 'card'"),
        ("ch_5", "'failed', 0, 'invalid', 'card'"),
        ("ch_6", "'pending', 0, 'authorized', 'sepa_debit'"),
        ("ch_7", "'succeeded', 1, 'authorized', 'card_present'"),
    ] {
        add(&db, "stripe_charges", CHARGE, &format!("'{id}', {day}, 1000, 'eur', {rest}"));
    }
    db.execute_batch(
        "UPDATE stripe_charges SET outcome_reason = 'insufficient_funds', payment_intent_id = 'pi_1' WHERE id = 'ch_3';
         UPDATE stripe_charges SET card_network = 'cartes_bancaires', card_brand = 'visa', card_funding = 'debit',
           card_country = 'FR', three_ds_result = 'attempt_acknowledged', wallet_type = 'apple_pay' WHERE id = 'ch_1';
         UPDATE stripe_charges SET present_network = 'unknown', present_brand = 'amex', present_funding = 'odd' WHERE id = 'ch_7'",
    )
    .unwrap();
    let found = rows(
        &db,
        "SELECT attempt_id, payment_id, day, outcome, method, scheme, funding, issuer_country, wallet, three_ds, decline_code
         FROM payment_attempts ORDER BY attempt_id",
    );
    assert_eq!(
        found,
        [
            "ch_1 ch_1 2024-10-04 captured card cartes_bancaires debit FR apple_pay attempted -",
            "ch_2 ch_2 2024-10-04 approved card unknown unknown - - none -",
            "ch_3 pi_1 2024-10-04 declined card unknown unknown - - none insufficient_funds",
            "ch_4 ch_4 2024-10-04 blocked card unknown unknown - - none -",
            "ch_5 ch_5 2024-10-04 error card unknown unknown - - none -",
            "ch_6 ch_6 2024-10-04 pending sepa_debit - - - - - -",
            "ch_7 ch_7 2024-10-04 captured card amex unknown - - - -",
        ]
    );
    // 6 card tries: 3 approved, 1 declined by the issuer, 1 blocked, 1 error.
    let rate = "SELECT attempts, approved, declined, blocked, errors, approval_rate, authorization_rate FROM approval_rate_by_day";
    assert_eq!(rows(&db, rate), ["6 3 1 1 1 0.5 0.75"]);
    let declines = "SELECT outcome, decline_code, declines FROM declines_by_day ORDER BY outcome";
    assert_eq!(rows(&db, declines), ["blocked unknown 1", "declined insufficient_funds 1", "error unknown 1"]);
    db.execute_batch("UPDATE stripe_charges SET deleted_at = 1").unwrap();
    assert_eq!(rows(&db, "SELECT count(*) FROM payment_attempts"), ["0"]);
}

#[test]
fn outcomes_of_checkoutcom_attempts() {
    let db = store();
    for (id, status, scheme) in [
        ("pay_1", "partially_refunded", "american_express"),
        ("pay_2", "voided", "visa"),
        ("pay_3", "declined", "mastercard"),
        ("pay_4", "declined", "diners_club_international"),
        ("pay_5", "canceled", "china_unionpay"),
        ("pay_6", "pending", "jcb"),
        ("pay_7", "paid", "visa"),
        ("pay_8", "declined", "visa"),
    ] {
        let values = format!("'{id}', 0, '{status}', 500, 'gbp', 'card', '{scheme}', 'deferred_debit', 'googlepay'");
        let columns = "id, requested_at, status, amount, currency, method_type, card_scheme, card_type, card_wallet";
        add(&db, "checkoutcom_payments", columns, &values);
    }
    for (id, payment, at, code) in
        [("act_1", "pay_3", 10, "20051"), ("act_2", "pay_3", 20, "20005"), ("act_3", "pay_4", 10, "40101")]
    {
        let values = format!("'{id}', '{payment}', 'authorization', 'declined', {at}, 'gbp', '{code}'");
        let columns = "id, payment_id, type, status, processed_at, currency, response_code";
        add(&db, "checkoutcom_payment_actions", columns, &values);
    }
    // Read by its payment's id, an action says only whether it was approved.
    let columns = "id, payment_id, type, approved, processed_at, currency, response_code";
    for action in
        ["'act_4', 'pay_8', 'authorization', 0, 10, 'gbp', '20014'", "'act_5', 'pay_8', 'capture', 0, 20, 'gbp', '2'"]
    {
        add(&db, "checkoutcom_payment_actions", columns, action);
    }
    db.execute_batch(
        "UPDATE checkoutcom_payments SET three_ds_version = '2.2.0', three_ds_eci = '05' WHERE id = 'pay_1'",
    )
    .unwrap();
    let sql =
        "SELECT attempt_id, outcome, scheme, funding, wallet, three_ds, decline_code FROM payment_attempts ORDER BY 1";
    assert_eq!(
        rows(&db, sql),
        [
            "pay_1 captured amex charge google_pay authenticated -",
            "pay_2 approved visa charge google_pay none -",
            "pay_3 declined mastercard charge google_pay none 20005",
            "pay_4 blocked diners charge google_pay none 40101",
            "pay_5 error unionpay charge google_pay none -",
            "pay_6 pending jcb charge google_pay none -",
            "pay_8 declined visa charge google_pay none 20014",
        ]
    );
}

/// An action keeps what each kind of read said of it: a search the status, a read by id whether it was approved. By which it
/// was read last, whether approved, the status, the code; and what a refund is then, with the code of its failure.
const READ_TWICE: [(&str, &str, &str, &str, &str); 10] = [
    ("'search'", "1", "'declined'", "'20051'", "failed 20051"),
    ("'search'", "0", "'approved'", "'10000'", "succeeded -"),
    ("'list'", "0", "'pending'", "NULL", "pending -"),
    ("'list'", "NULL", "'declined'", "'20005'", "failed 20005"),
    ("'get'", "0", "'pending'", "'20068'", "pending -"),
    ("'get'", "0", "'approved'", "'20014'", "failed 20014"),
    ("'get'", "0", "NULL", "'20014'", "failed 20014"),
    ("'get'", "1", "'declined'", "'10000'", "succeeded -"),
    ("'get'", "1", "'pending'", "'10000'", "succeeded -"),
    ("'get'", "NULL", "'declined'", "'20051'", "failed 20051"),
];

#[test]
fn of_what_two_reads_say_of_an_action_the_newer_counts() {
    let db = store();
    db.execute_batch(
        "INSERT INTO checkoutcom_payments (account, id, requested_at, status, amount, currency, seen_at, read_at, read_seq, source)
         VALUES (1, 'pay', 0, 'declined', 5, 'eur', 0, 0, 1, 'list')",
    )
    .unwrap();
    for (source, approved, status, code, refund) in READ_TWICE {
        let case = format!("read by {source}, approved {approved}, status {status}");
        db.execute_batch(&format!(
            "DELETE FROM checkoutcom_payment_actions;
             INSERT INTO checkoutcom_payment_actions (account, id, payment_id, type, processed_at, currency, seen_at, read_at,
             read_seq, source, approved, status, response_code) SELECT 1, type, 'pay', type, 0, 'eur', 0, 0, 1, {source},
             {approved}, {status}, {code} FROM (SELECT 'refund' AS type UNION ALL SELECT 'authorization')"
        ))
        .unwrap();
        assert_eq!(rows(&db, "SELECT status, failure_reason FROM refunds"), [refund], "{case}");
        let declined = refund.strip_prefix("failed ").unwrap_or("-");
        assert_eq!(rows(&db, "SELECT decline_code FROM payment_attempts"), [declined], "{case}");
    }
}

#[test]
fn payments_refunds_and_disputes_of_both_providers() {
    let db = store();
    add(&db, "stripe_charges", CHARGE, "'ch_1', 0, 900, 'usd', 'succeeded', 1, 'authorized', 'card'");
    add(&db, "stripe_charges", CHARGE, "'ch_2', 0, 900, 'usd', 'succeeded', 1, 'authorized', 'card'");
    db.execute_batch("UPDATE stripe_charges SET disputed = 1, amount_captured = 900, payment_intent_id = iif(id = 'ch_1', 'pi_1', NULL)")
        .unwrap();
    let intent = "id, created_at, amount, currency, status, amount_received, latest_charge_id";
    add(&db, "stripe_payment_intents", intent, "'pi_1', 0, 900, 'usd', 'succeeded', 900, 'ch_1'");
    add(&db, "stripe_payment_intents", intent, "'pi_2', 0, 900, 'usd', 'requires_payment_method', 0, 'ch_9'");
    add(&db, "stripe_payment_intents", intent, "'pi_3', 0, 900, 'usd', 'succeeded', 300, NULL");
    add(
        &db,
        "stripe_refunds",
        "id, created_at, amount, currency, status, charge_id",
        "'re_1', 0, 5, 'usd', 'failed', 'ch_2'",
    );
    let dispute = "id, created_at, amount, currency, status, reason, charge_id";
    add(
        &db,
        "stripe_disputes",
        dispute,
        "'dp_1', 0, 900, 'usd', 'warning_under_review', 'product_not_received', 'ch_1'",
    );
    let payment = "id, requested_at, status, amount, currency, amount_captured";
    add(&db, "checkoutcom_payments", payment, "'pay_1', 0, 'refunded', 700, 'eur', 700");
    let action = "id, payment_id, type, status, currency, amount";
    add(&db, "checkoutcom_payment_actions", action, "'act_1', 'pay_1', 'refund', 'approved', 'eur', 700");
    add(&db, "checkoutcom_payment_actions", action, "'act_2', 'pay_1', 'capture', 'approved', 'eur', 700");
    let dispute = "id, updated_at, status, category, payment_id, payment_method";
    add(
        &db,
        "checkoutcom_disputes",
        dispute,
        "'dsp_1', 0, 'arbitration_lost', 'fraudulent', 'pay_1', 'american_express'",
    );

    let payments = "SELECT payment_id, status, amount_captured, disputed FROM payments ORDER BY payment_id";
    assert_eq!(
        rows(&db, payments),
        [
            "ch_2 captured 900 1",
            "pay_1 captured 700 1",
            "pi_1 captured 900 1",
            "pi_2 declined 0 -",
            "pi_3 partially_captured 300 -"
        ]
    );
    let refunds = "SELECT provider, refund_id, payment_id, status, amount FROM refunds ORDER BY refund_id";
    assert_eq!(rows(&db, refunds), ["checkoutcom act_1 pay_1 succeeded 700", "stripe re_1 ch_2 failed 5"]);
    let disputes = "SELECT dispute_id, status, stage, category, scheme FROM disputes ORDER BY dispute_id";
    assert_eq!(rows(&db, disputes), ["dp_1 under_review inquiry consumer -", "dsp_1 lost arbitration fraud amex"]);
    let cohort =
        "SELECT provider, month, captured_payments, disputed_payments FROM dispute_rate_by_month ORDER BY provider";
    assert_eq!(rows(&db, cohort), ["checkoutcom 1970-01 1 1", "stripe 1970-01 3 2"]);
}

#[test]
fn money_of_the_balance() {
    let db = store();
    let columns = "id, created_at, type, reporting_category, amount, amount_fee, amount_net, currency, source_id";
    add(&db, "stripe_balance_transactions", columns, "'txn_1', 0, 'payment', 'charge', 1000, 59, 941, 'eur', 'py_1'");
    let columns = "balance_transaction_id, position, created_at, type, amount, currency";
    add(&db, "stripe_balance_transaction_fees", columns, "'txn_1', 0, 0, 'stripe_fee', 50, 'eur'");
    add(&db, "stripe_balance_transaction_fees", columns, "'txn_1', 1, 0, 'tax', 9, 'eur'");
    let columns =
        "id, created_at, arrival_at, amount, currency, status, automatic, reconciliation_status, reversed_by_id";
    add(&db, "stripe_payouts", columns, "'po_1', 0, 172800000, 941, 'eur', 'paid', 1, 'completed', NULL");
    add(&db, "stripe_payouts", columns, "'po_2', 0, NULL, 941, 'eur', 'paid', 0, 'not_applicable', 'po_3'");
    assert_eq!(rows(&db, "SELECT category, amount, amount_net FROM balance_transactions"), ["charge 1000 941"]);
    let fees = "SELECT category, amount, source_id FROM fees ORDER BY position";
    assert_eq!(rows(&db, fees), ["processor 50 py_1", "tax 9 py_1"]);
    let payouts = "SELECT payout_id, arrival_day, status, is_itemisable FROM payouts ORDER BY payout_id";
    assert_eq!(rows(&db, payouts), ["po_1 1970-01-03 paid 1", "po_2 - reversed 0"]);
}

#[test]
fn exponents_belong_to_the_provider() {
    let db = store();
    let of = |codes: &str| {
        let sql =
            format!("SELECT provider, currency, exponent FROM currencies WHERE currency IN ({codes}) ORDER BY 1, 2");
        rows(&db, &sql)
    };
    assert_eq!(
        of("'isk', 'clp', 'kwd', 'iqd', 'ugx', 'mga', 'eur', 'jpy'").join(" · "),
        "checkoutcom clp 2 · checkoutcom eur 2 · checkoutcom iqd 3 · checkoutcom isk 0 · checkoutcom jpy 0 · \
         checkoutcom kwd 3 · checkoutcom mga 2 · checkoutcom ugx 0 · stripe clp 0 · stripe eur 2 · stripe iqd 2 · \
         stripe isk 2 · stripe jpy 0 · stripe kwd 3 · stripe mga 0 · stripe ugx 2"
    );
    let twice = "SELECT provider, currency FROM currencies GROUP BY 1, 2 HAVING count(*) > 1";
    assert_eq!(rows(&db, twice), Vec::<String>::new());
    assert_eq!(rows(&db, "SELECT count(*) > 300, min(exponent), max(exponent) FROM currencies"), ["1 0 3"]);
}
