//! What a provider's face showed of one object at some moment, read by the product's own projection and held against a row
//! and the rows of its child tables. It knows nothing of windows and of what they claim.

use std::collections::HashMap;
use std::sync::Arc;

use counterfoil::problem::Result;
use counterfoil::providers::{Provider, Way};
use counterfoil::sandbox::{Direct, FaceName, TruthStream};
use counterfoil::store::{Reader, Text};
use counterfoil::stream::{Cell, Page, Shape, Source, Value};
use counterfoil::sync::{Connection, Line};

/// A response that is one record.
const ONE: Shape = Shape { records: None, leaves: &[] };

/// The truth's name for each table.
const STREAMS: &[(&str, TruthStream)] = &[
    ("stripe_events", TruthStream::StripeEvents),
    ("stripe_charges", TruthStream::StripeCharges),
    ("stripe_refunds", TruthStream::StripeRefunds),
    ("stripe_disputes", TruthStream::StripeDisputes),
    ("stripe_payment_intents", TruthStream::StripePaymentIntents),
    ("stripe_balance_transactions", TruthStream::StripeBalanceTransactions),
    ("stripe_payouts", TruthStream::StripePayouts),
    ("checkoutcom_payments", TruthStream::CheckoutPayments),
    ("checkoutcom_disputes", TruthStream::CheckoutDisputes),
];

/// One stream of the agent, with the names of its columns.
pub(super) struct Stream {
    pub(super) account: i64,
    pub(super) provider: &'static Provider,
    pub(super) line: Arc<Line>,
    pub(super) truth: TruthStream,
    /// Its table.
    pub(super) table: &'static str,
    pub(super) columns: Vec<String>,
    children: Vec<Child>,
}

/// A child table of a stream.
struct Child {
    /// Its place in the declaration.
    at: usize,
    name: String,
    /// The column with the parent's id.
    parent: String,
    columns: Vec<String>,
}

/// Living rows of the child tables of one object, table by table.
pub(super) type Children = Vec<Vec<Vec<Text>>>;

/// A row as it stands in the store.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) id: String,
    /// How it was read.
    pub(super) source: String,
    pub(super) values: Vec<Text>,
    pub(super) children: Children,
}

/// The streams that a connection reads and that the truth knows.
pub(super) fn streams(connection: &Connection) -> Result<Vec<Stream>> {
    let mut streams = Vec::new();
    for line in &connection.lines {
        let Some((table, truth)) = STREAMS.iter().find(|(table, _)| *table == line.table()) else { continue };
        let declaration = line.stream.declaration()?;
        let columns_of = |at: usize| -> Vec<String> {
            let columns = &declaration.tables[at].columns;
            line.projection.columns(at).iter().map(|column| columns[*column].name.clone()).collect()
        };
        let child = |(at, table): (usize, &counterfoil::stream::Table)| {
            let named = |source: &Source| matches!(source, Source::Parent(path) if *path == ["id"]);
            let parent = table.columns.iter().find(|column| named(&column.source)).unwrap().name.clone();
            Child { at, name: table.name.clone(), parent, columns: columns_of(at) }
        };
        let children = declaration.tables.iter().enumerate().skip(1).map(child).collect();
        let (account, provider) = (connection.account, connection.provider);
        let (line, columns, truth) = (line.clone(), columns_of(0), *truth);
        streams.push(Stream { account, provider, line, truth, table, columns, children });
    }
    Ok(streams)
}

impl Stream {
    /// The rows of the child tables of all objects that were read since a read.
    pub(super) fn children(&self, reader: &Reader, since: i64) -> Result<HashMap<String, Children>> {
        let mut found: HashMap<String, Children> = HashMap::new();
        for (at, child) in self.children.iter().enumerate() {
            let (parent, columns, account) = (&child.parent, child.columns.join(", "), self.account);
            let sql = format!(
                "SELECT {parent}, {columns} FROM {} WHERE account = {account} AND deleted_at IS NULL AND {parent} IN
                 (SELECT id FROM {} WHERE account = {account} AND read_seq > {since})",
                child.name, self.table
            );
            for mut row in reader.table(&sql)?.rows {
                let values = row.split_off(1);
                let of = row[0].str().unwrap_or_default().to_owned();
                found.entry(of).or_insert_with(|| self.childless())[at].push(values);
            }
        }
        Ok(found)
    }

    /// No rows in any child table.
    pub(super) fn childless(&self) -> Children {
        vec![Vec::new(); self.children.len()]
    }

    /// The first column in which a row, or a row of its child tables, differs from what the face shows at a moment; `None`
    /// when all is the same.
    pub(super) fn differs(&self, direct: &Direct, row: &Row, moment: i64) -> Option<String> {
        let Some(page) = self.shown(direct, row, moment) else { return Some("not shown".to_owned()) };
        let id = self.columns.iter().position(|name| name == "id")?;
        let rows = &page.tables[0];
        let mine = (0..rows.len()).find(|at| page.text(rows.row(*at)[id]) == row.id);
        let Some(mine) = mine else { return Some("not among those shown".to_owned()) };
        let own = other_column(&page, rows.row(mine), &self.columns, &row.values);
        let children = self.children.iter().zip(&row.children);
        own.or_else(|| children.clone().find_map(|(child, held)| child.differs(&page, mine, held))).or_else(|| {
            let parts = self.parts(direct, row, &page, moment)?;
            parts.iter().find_map(|part| children.clone().find_map(|(child, held)| child.lacks(part, held)))
        })
    }

    /// What the face shows of the parts of an object that was read by its id; `None` where it has none.
    fn parts(&self, direct: &Direct, row: &Row, page: &Page, moment: i64) -> Option<Vec<Page>> {
        let apart = self.line.stream.apart.iter().filter(|_| row.source == "get");
        let shown = apart.map(|part| {
            let (status, body) = direct.shown(FaceName::CheckoutCom, &(part.ask)(&row.id).path, None, moment);
            (status == 200).then(|| self.line.projection.part(page, part.field, body).ok())?
        });
        shown.collect()
    }

    /// What the face shows of one object at a moment, as the product reads it.
    fn shown(&self, direct: &Direct, row: &Row, moment: i64) -> Option<Page> {
        let (line, id) = (&self.line, &row.id);
        let (status, body, shape) = match (line.stream.way, self.truth) {
            (Way::List, _) => {
                let (status, body) =
                    direct.shown(FaceName::Stripe, &format!("{}/{id}", line.stream.path), None, moment);
                (status, body, ONE)
            }
            (_, TruthStream::CheckoutPayments) if row.source == "get" => {
                let (status, body) = direct.shown(FaceName::CheckoutCom, &format!("/payments/{id}"), None, moment);
                (status, body, ONE)
            }
            (_, TruthStream::CheckoutDisputes) => {
                let path = format!("/disputes?limit=250&skip=0&id={id}");
                let (status, body) = direct.shown(FaceName::CheckoutCom, &path, None, moment);
                (status, body, line.stream.shape)
            }
            _ => {
                let requested = self.columns.iter().position(|name| name == "requested_at")?;
                let second = row.values[requested].int()?.div_euclid(1000);
                let time = |second| jiff::Timestamp::from_second(second).ok();
                let (from, to) = (time(second)?, time(second + 1)?);
                let body = format!(r#"{{"query":"id:'{id}'","limit":10,"from":"{from}","to":"{to}"}}"#);
                let (status, body) = direct.shown(FaceName::CheckoutCom, "/payments/search", Some(&body), moment);
                (status, body, line.stream.shape)
            }
        };
        if status != 200 {
            return None;
        }
        line.projection.page(body, &shape).ok()
    }
}

impl Child {
    /// What differs between the rows that are held of one parent and those that a page shows of it. An array that did not
    /// come says nothing.
    fn differs(&self, page: &Page, parent: usize, held: &[Vec<Text>]) -> Option<String> {
        let rows = &page.tables[self.at];
        if !rows.lengths.iter().any(|(of, _)| *of as usize == parent) {
            return None;
        }
        let shown: Vec<usize> = (0..rows.len()).filter(|at| rows.parents[*at] as usize == parent).collect();
        if shown.len() != held.len() {
            return Some(format!("{}: {} rows are held and {} are shown", self.name, held.len(), shown.len()));
        }
        // The key is among the columns, so no two that are shown are the same.
        let missing =
            |at: &usize| held.iter().all(|row| other_column(page, rows.row(*at), &self.columns, row).is_some());
        shown.iter().any(missing).then(|| format!("{}: another row is held than is shown", self.name))
    }
}

impl Child {
    /// What a part shows of one parent and is not held: both were read together, so the rows are as new as the parent's. More
    /// may be held: another read tells of more.
    fn lacks(&self, part: &Page, held: &[Vec<Text>]) -> Option<String> {
        let rows = &part.tables[self.at];
        let missing =
            |at: &usize| held.iter().all(|row| other_column(part, rows.row(*at), &self.columns, row).is_some());
        let lacking = (0..rows.len()).filter(missing).count();
        (lacking > 0).then(|| format!("{}: {lacking} rows are shown and not held", self.name))
    }
}

/// The first column in which stored values differ from the cells of a page; what did not come says nothing.
fn other_column(page: &Page, cells: &[Cell], columns: &[String], stored: &[Text]) -> Option<String> {
    let same = |cell: &Cell, stored: &Text| match (cell, page.value(*cell)) {
        (Cell::Absent, _) => true,
        (_, Value::Null) => *stored == Text::Null,
        (_, Value::Int(number)) => stored.int() == Some(number),
        (_, Value::Text(text)) => stored.str().map(str::as_bytes) == Some(text),
    };
    let mut all = cells.iter().zip(columns).zip(stored);
    all.find(|((cell, _), stored)| !same(cell, stored)).map(|((_, name), _)| name.clone())
}
