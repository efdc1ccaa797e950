//! The program's own reading of the declarations: it agrees with the reader of these tests, takes the official examples whole,
//! and counts decimals as the view `currencies` does.

use std::sync::Arc;

use counterfoil::providers;
use counterfoil::stream::{Profile, Projection, Rows, Source, Tokens};
use serde_json::{Value, json};

use super::{Published, SHOWN_EXPANDED, published, reader, views};

/// Marks what was tokenised, so that a test sees it.
struct Marked;
impl Tokens for Marked {
    fn token(&self, scope: &str, value: &str, out: &mut String) {
        out.push_str(&format!("{scope}#{}", value.len()));
    }
}

/// The program's entry for a stream named `provider/stream`.
fn stream_of(name: &str) -> (&'static providers::Provider, &'static providers::Stream) {
    let (provider, stream) = name.split_once('/').unwrap();
    let provider = providers::find(provider).unwrap();
    (provider, provider.stream(stream).unwrap())
}

/// The examples as one response: ids stand where the example shows an expanded object.
fn response(published: &Published) -> Vec<u8> {
    let examples = published.examples.iter().flat_map(|example| match example {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    });
    let records: Vec<Value> = examples
        .filter(|record| record.get("id").is_some())
        .map(|mut record| {
            if record["transfer_data"]["destination"].is_object() {
                record["transfer_data"]["destination"] = record["transfer_data"]["destination"]["id"].clone();
            }
            record
        })
        .collect();
    assert_eq!(SHOWN_EXPANDED.len(), 2, "only the one that is mended here");
    json!({ "object": "list", "has_more": false, "total_count": 1, "data": records }).to_string().into_bytes()
}

#[test]
fn both_readers_read_the_same() {
    for provider in providers::ALL {
        for stream in provider.streams {
            let theirs = stream.declaration().unwrap();
            let ours = reader::declaration(&format!("{}/{}", provider.name, stream.name));
            let theirs_listed =
                theirs.not_kept.iter().map(|entry| (entry.path.join("."), entry.class.name().to_owned()));
            assert_eq!(theirs_listed.collect::<Vec<_>>(), ours.not_kept, "{}", stream.name);
            assert_eq!(theirs.tables.len(), ours.tables.len(), "{}", stream.name);
            for (theirs, ours) in theirs.tables.iter().zip(&ours.tables) {
                assert_eq!((&theirs.name, &theirs.key), (&ours.name, &ours.key));
                let told = theirs.columns.iter().map(|column| {
                    let path = match &column.source {
                        Source::Store => "-".to_owned(),
                        Source::Path(path) => path.join("."),
                        Source::Parent(path) => format!("^{}", path.join(".")),
                        Source::Position => "#".to_owned(),
                    };
                    [column.name.clone(), path, column.class.name().to_owned(), column.meaning.clone()]
                });
                let read = ours.columns.iter().map(|c| [&c.name, &c.path, &c.class, &c.meaning].map(String::clone));
                assert_eq!(told.collect::<Vec<_>>(), read.collect::<Vec<_>>(), "{}", ours.name);
            }
        }
    }
}

#[test]
fn the_official_examples_convert_whole_and_hold_nothing_unknown() {
    for published in published().into_iter().flatten() {
        let (provider, stream) = stream_of(published.stream);
        let declaration = stream.declaration().unwrap();
        for profile in [Profile::Strict, Profile::Standard, Profile::Finance] {
            let projection = Projection::new(&declaration, profile, Arc::new(Marked), provider.exponent, &[]);
            let page = projection.page(response(&published), &stream.shape).unwrap();
            assert!(page.records > 0 && page.tables[0].len() as u64 == page.records, "{}", published.stream);
            assert!(page.drift.is_empty(), "{}: {:?}", published.stream, page.drift);
            // One action of the search example has a time without minutes (see examples/SOURCES.md).
            let rejected: Vec<_> = page.rejected.iter().map(|r| (r.table, r.reason, r.column.as_str())).collect();
            let known: &[_] =
                if published.stream == "checkoutcom/payments" { &[(1, "not_a_time", "processed_at")] } else { &[] };
            assert_eq!(rejected, known, "{}", published.stream);
        }
    }
}

#[test]
fn what_is_stored_of_the_example_charge_depends_on_the_profile() {
    let Some(published) = published().and_then(|all| all.into_iter().find(|one| one.stream == "stripe/charges")) else {
        return;
    };
    let (provider, stream) = stream_of(published.stream);
    let declaration = stream.declaration().unwrap();
    let stored = |profile| {
        let projection = Projection::new(&declaration, profile, Arc::new(Marked), provider.exponent, &[]);
        let page = projection.page(response(&published), &stream.shape).unwrap();
        let rows: &Rows = &page.tables[0];
        let named = projection.columns(0).iter().zip(rows.row(0));
        let text = |name: &str| {
            let mut cells = named.clone().filter(|(column, _)| declaration.main().columns[**column].name == name);
            cells.next().map(|(_, cell)| page.text(*cell).to_owned())
        };
        ["id", "card_brand", "card_token", "payment_method", "card_last4", "description"].map(text)
    };
    let token = "stripe.card_token#16";
    let (id, card) = ("ch_1PgafuB7WZ01zgkWXYmPNZs8", "card_1PgaftB7WZ01zgkWm3waTcFp");
    let description = "My First Test Charge (created for API docs)";
    let some = |texts: [&str; 6]| texts.map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
    assert_eq!(stored(Profile::Strict), some([id, "visa", token, "", "", ""]));
    assert_eq!(stored(Profile::Standard), some([id, "visa", token, card, "", ""]));
    assert_eq!(stored(Profile::Finance), some([id, "visa", token, card, "4242", description]));
}

#[test]
fn the_program_counts_decimals_as_the_view_does() {
    let told = views::rows(&views::store(), "SELECT provider, currency, exponent FROM currencies");
    assert!(told.len() > 300);
    for row in told {
        let [provider, currency, exponent] = row.split(' ').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let known = (providers::find(provider).unwrap().exponent)(currency);
        assert_eq!(known.map(|known| known.to_string()).as_deref(), Some(exponent), "{row}");
    }
}

#[test]
fn every_file_is_used_by_the_program() {
    let schema = counterfoil::agent::schema().unwrap();
    let streams: Vec<&str> = schema.streams.iter().map(|declaration| declaration.sql).collect();
    let views: Vec<&str> = schema.views.iter().map(|view| view.sql).collect();
    for (path, sql) in ["stripe", "checkoutcom"].iter().flat_map(|folder| reader::files(folder)) {
        assert!(streams.contains(&sql.as_str()), "{} is no stream", path.display());
    }
    for (path, sql) in reader::files("views") {
        assert!(views.contains(&sql.as_str()), "{} is not created", path.display());
    }
}
