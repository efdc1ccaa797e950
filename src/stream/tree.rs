//! The prefix tree over a declaration's paths, and per table what its cells are. Built once per account; read-only.

use super::class::{Class, Profile};
use super::declare::{Conversion, Declaration, Source, Table};
use super::lookup::Lookup;
use crate::testpoint::planted;

/// Where a key leads.
#[derive(Debug, Default)]
pub(super) struct Edge {
    /// Cells filled from the value itself, each with its conversion.
    pub(super) leaves: Vec<(usize, Conversion)>,
    /// The node of the object below.
    pub(super) child: Option<usize>,
    /// The child table whose rows the array's elements are.
    pub(super) array: Option<usize>,
    /// All cells filled from the object below: null instead of the object makes them null.
    pub(super) below: Vec<usize>,
    /// The number's own spelling is needed (decimals).
    pub(super) raw: bool,
    /// The value tells whether the record is live.
    pub(super) mode: bool,
}

/// One JSON object's known keys.
#[derive(Debug)]
pub(super) struct Node {
    /// Keys to numbers of `edges`.
    pub(super) keys: Lookup,
    /// Where the keys lead.
    pub(super) edges: Vec<Edge>,
    /// Unknown keys are listed as not kept: they are no drift.
    pub(super) open: bool,
    /// The path to here, with a dot at its end, for drift.
    pub(super) prefix: String,
}

/// What the cells of one table's rows are.
#[derive(Debug)]
pub(super) struct TablePlan {
    /// The node of a record (or element).
    pub(super) root: usize,
    /// The column, by number in the declaration, of each cell.
    pub(super) columns: Vec<usize>,
    /// The column's name, of each cell.
    pub(super) names: Vec<String>,
    /// The scope of keyed hashes, of each cell.
    pub(super) scopes: Vec<String>,
    /// Cells that must not be empty.
    pub(super) required: Vec<usize>,
    /// The cell of the record's own id.
    pub(super) id: Option<usize>,
    /// The cell of the element's position.
    pub(super) position: Option<usize>,
    /// Cells taken over from the parent's cells.
    pub(super) from_parent: Vec<(usize, usize)>,
    /// Decimal cells with the cell of their currency.
    pub(super) decimals: Vec<(usize, usize)>,
    /// Of two elements with one id the first is kept.
    pub(super) newest_first: bool,
}

/// The whole declaration, ready to walk.
#[derive(Debug)]
pub(super) struct Tree {
    /// All nodes; tables name their roots.
    pub(super) nodes: Vec<Node>,
    /// Parent first.
    pub(super) tables: Vec<TablePlan>,
}

#[derive(Default)]
struct Draft {
    edges: Vec<(String, Edge)>,
    open: bool,
    prefix: String,
}

impl Tree {
    pub(super) fn new(declaration: &Declaration, profile: Profile) -> Self {
        let mut drafts: Vec<Draft> = Vec::new();
        let mut tables: Vec<TablePlan> = Vec::new();
        for table in &declaration.tables {
            let root = drafts.len();
            let prefix = table.each.as_ref().map_or(String::new(), |each| format!("{}[].", each.path.join(".")));
            drafts.push(Draft { prefix, ..Draft::default() });
            let plan = plan(table, tables.first().map(|plan| (plan, &declaration.tables[0])), root, profile);
            for (cell, column) in plan.columns.iter().enumerate() {
                let column = &table.columns[*column];
                let Source::Path(path) = &column.source else { continue };
                mark_above(&mut drafts, root, path, cell);
                let edge = last_edge(&mut drafts, root, path);
                edge.raw |= matches!(column.conversion, Conversion::Decimal(_) | Conversion::E8);
                edge.leaves.push((cell, column.conversion.clone()));
            }
            // Columns that the profile leaves out are known all the same.
            for column in &table.columns {
                if let Source::Path(path) = &column.source {
                    last_edge(&mut drafts, root, path);
                }
            }
            if let Some(each) = &table.each {
                last_edge(&mut drafts, 0, &each.path).array = Some(tables.len());
            }
            tables.push(plan);
        }
        for entry in &declaration.not_kept {
            not_kept(&mut drafts, declaration, &tables, &entry.path);
        }
        Self { nodes: drafts.into_iter().map(Draft::node).collect(), tables }
    }

    /// Marks the field of a record that tells whether it is live, where the declaration knows it.
    pub(super) fn tell_mode(&mut self, field: &str) {
        let root = &mut self.nodes[self.tables[0].root];
        if let Some(at) = root.keys.find(field, &mut 0) {
            root.edges[at].mode = true;
        }
    }
}

impl Draft {
    fn node(self) -> Node {
        let (keys, edges): (Vec<String>, Vec<Edge>) = self.edges.into_iter().unzip();
        let keys = Lookup::new(keys.into_iter().map(String::into_boxed_str).collect());
        Node { keys, edges, open: self.open, prefix: self.prefix }
    }

    fn edge(&mut self, key: &str) -> &mut Edge {
        let at = self.edges.iter().position(|(k, _)| k == key).unwrap_or(self.edges.len());
        if at == self.edges.len() {
            self.edges.push((key.to_owned(), Edge::default()));
        }
        &mut self.edges[at].1
    }
}

fn plan(table: &Table, parent: Option<(&TablePlan, &Table)>, root: usize, profile: Profile) -> TablePlan {
    let kept = |class: Class| class.stored_in(profile) || planted("every_class_kept");
    let stored = |column: &super::Column| column.source != Source::Store && kept(column.class);
    let columns: Vec<usize> = (0..table.columns.len()).filter(|index| stored(&table.columns[*index])).collect();
    let cell_of = |index: usize| columns.iter().position(|column| *column == index);
    let cells = || columns.iter().enumerate().map(|(cell, column)| (cell, &table.columns[*column]));
    let at = |table: &Table, path: &[String]| {
        table.columns.iter().position(|column| matches!(&column.source, Source::Path(p) if p == path))
    };
    TablePlan {
        root,
        names: cells().map(|(_, column)| column.name.clone()).collect(),
        scopes: cells().map(|(_, column)| scope(&table.name, &column.name)).collect(),
        required: cells().filter(|(_, column)| column.required).map(|(cell, _)| cell).collect(),
        id: table.column("id").and_then(cell_of),
        position: cells().find(|(_, column)| column.source == Source::Position).map(|(cell, _)| cell),
        from_parent: cells()
            .filter_map(|(cell, column)| {
                let Source::Parent(path) = &column.source else { return None };
                let (plan, table) = parent?;
                let from = at(table, path)?;
                Some((cell, plan.columns.iter().position(|column| *column == from)?))
            })
            .collect(),
        decimals: cells()
            .filter_map(|(cell, column)| {
                let Conversion::Decimal(path) = &column.conversion else { return None };
                Some((cell, cell_of(at(table, path)?)?))
            })
            .collect(),
        newest_first: table.each.as_ref().is_some_and(|each| each.newest_first),
        columns,
    }
}

/// Equal values in columns of one name at one provider give equal tokens, so that a card counts once whatever the stream.
fn scope(table: &str, column: &str) -> String {
    let provider = table.split('_').next().unwrap_or(table);
    format!("{provider}.{column}")
}

/// Tells every object on the way to `path` that this cell lies below it.
fn mark_above(drafts: &mut Vec<Draft>, root: usize, path: &[String], cell: usize) {
    let mut at = root;
    for key in &path[..path.len() - 1] {
        let next = step(drafts, at, key);
        drafts[at].edge(key).below.push(cell);
        at = next;
    }
}

fn last_edge<'d>(drafts: &'d mut Vec<Draft>, root: usize, path: &[String]) -> &'d mut Edge {
    let mut at = root;
    for key in &path[..path.len() - 1] {
        at = step(drafts, at, key);
    }
    drafts[at].edge(&path[path.len() - 1])
}

/// The node below `key`, made when missing.
fn step(drafts: &mut Vec<Draft>, at: usize, key: &str) -> usize {
    let next = drafts.len();
    let prefix = format!("{}{key}.", drafts[at].prefix);
    let edge = drafts[at].edge(key);
    match edge.child {
        Some(child) => child,
        None => {
            edge.child = Some(next);
            drafts.push(Draft { prefix, ..Draft::default() });
            next
        }
    }
}

/// Makes a path known. `a.*` needs no node below `a` unless something below is declared; then that node is open.
fn not_kept(drafts: &mut Vec<Draft>, declaration: &Declaration, tables: &[TablePlan], path: &[String]) {
    // Paths inside a child table's array are written with the array's name: `actions.metadata.*`.
    let child = declaration.tables.iter().enumerate().skip(1).find_map(|(index, table)| {
        let each = table.each.as_ref()?;
        let inside = path.strip_prefix(each.path.as_slice()).filter(|rest| !rest.is_empty() && rest[0] != "*")?;
        Some((tables[index].root, inside.to_vec()))
    });
    let (root, path) = child.unwrap_or((0, path.to_vec()));
    let (last, above) = path.split_last().map_or(("", &path[..]), |(last, above)| (last.as_str(), above));
    if last != "*" {
        last_edge(drafts, root, &path);
        return;
    }
    if above.is_empty() {
        drafts[root].open = true;
        return;
    }
    let child = last_edge(drafts, root, above).child;
    if let Some(child) = child {
        drafts[child].open = true;
    }
}
