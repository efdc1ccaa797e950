//! Weaves the changes that cargo-mutants names into a copy of the sources, each behind a switch that a process reads from its
//! environment: one build then tries all of them, where cargo-mutants compiles once a change.
//!
//! `mutants LIST TREE [SKIP]`: `LIST` is what `cargo mutants --list --json` prints, `TREE` the copy that is changed in place,
//! `SKIP` a file of numbers that do not compile. Prints one line a change: its number, `woven` or why not, and its name.
//! It judges nothing: `.ci/mutants.py` compiles and runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use proc_macro2::LineColumn;
use serde_json::Value;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A change of the list.
struct Mutant {
    number: usize,
    file: String,
    name: String,
    genre: String,
    at: (usize, usize),
    replacement: String,
}

/// How one place of a file is written anew; inner places are written first.
enum Place {
    /// Code at the beginning of a function's body.
    Body(Vec<usize>),
    /// An operator between two operands: where the operands end and begin.
    Binary { left: usize, right: usize, mutants: Vec<usize> },
    /// An operator before an operand.
    Unary { operand: usize, mutants: Vec<usize> },
    /// An arm that goes, or its guard that is always or never true; where the guard's condition is.
    Arm { guard: Option<(usize, usize)>, mutants: Vec<usize> },
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let list: Value = serde_json::from_str(&fs::read_to_string(&arguments[1]).expect("the list")).expect("JSON");
    let tree = Path::new(&arguments[2]);
    let skip = arguments.get(3).map(|path| fs::read_to_string(path).unwrap_or_default()).unwrap_or_default();
    let skip: BTreeSet<usize> = skip.lines().filter_map(|line| line.trim().parse().ok()).collect();
    let mutants: Vec<Mutant> = list.as_array().expect("a list").iter().enumerate().map(mutant).collect();
    let mut files: BTreeMap<&str, Vec<&Mutant>> = BTreeMap::new();
    mutants.iter().for_each(|one| files.entry(&one.file).or_default().push(one));
    let mut woven = BTreeSet::new();
    for (file, of) in files {
        let path = tree.join(file);
        let source = fs::read_to_string(&path).expect("a source");
        let of: Vec<&Mutant> = of.into_iter().filter(|one| !skip.contains(&one.number)).collect();
        let text = weave(&source, &of, &mut woven);
        fs::write(&path, text).expect("the copy can be written");
    }
    for one in &mutants {
        let word = match (skip.contains(&one.number), woven.contains(&one.number)) {
            (true, _) => "unviable",
            (_, true) => "woven",
            _ => "unwoven",
        };
        println!("{}\t{word}\t{}", one.number, one.name);
    }
}

fn mutant((number, value): (usize, &Value)) -> Mutant {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let start = &value["span"]["start"];
    let at = |name: &str| start[name].as_u64().unwrap_or(0) as usize;
    Mutant {
        number,
        file: text("file"),
        name: text("name"),
        genre: text("genre"),
        at: (at("line"), at("column")),
        replacement: text("replacement"),
    }
}

fn weave(source: &str, of: &[&Mutant], woven: &mut BTreeSet<usize>) -> String {
    let file = syn::parse_file(source).expect("a source that compiles");
    let lines: Vec<usize> = std::iter::once(0)
        .chain(source.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1))
        .collect();
    let mut by_start: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
    for (index, one) in of.iter().enumerate() {
        by_start.entry(one.at).or_default().push(index);
    }
    let mut places = Places { source, lines: &lines, of, by_start: &by_start, found: BTreeMap::new() };
    places.visit_file(&file);
    let found = places.found;
    for (_, place) in &found {
        let mutants = match place {
            Place::Body(mutants) => mutants,
            Place::Binary { mutants, .. } | Place::Unary { mutants, .. } | Place::Arm { mutants, .. } => mutants,
        };
        woven.extend(mutants.iter().map(|index| of[*index].number));
    }
    let writer = Writer { source, of, places: found.iter().collect() };
    writer.write(0, source.len(), 0)
}

/// Finds the places of a file, by where they begin and end.
struct Places<'a> {
    source: &'a str,
    lines: &'a [usize],
    of: &'a [&'a Mutant],
    by_start: &'a HashMap<(usize, usize), Vec<usize>>,
    found: BTreeMap<(usize, std::cmp::Reverse<usize>), Place>,
}

impl Places<'_> {
    fn offset(&self, at: LineColumn) -> usize {
        let line = self.lines[at.line - 1];
        let text = &self.source[line..];
        line + text.char_indices().nth(at.column).map_or(text.len(), |(offset, _)| offset)
    }

    fn span(&self, of: &impl Spanned) -> (usize, usize) {
        let span = of.span();
        (self.offset(span.start()), self.offset(span.end()))
    }

    /// The changes whose span begins here; cargo-mutants counts columns from 1.
    fn at(&self, of: &impl Spanned, genres: &[&str]) -> Vec<usize> {
        let start = of.span().start();
        let found = self.by_start.get(&(start.line, start.column + 1)).cloned().unwrap_or_default();
        found.into_iter().filter(|index| genres.contains(&self.of[*index].genre.as_str())).collect()
    }

    fn body(&mut self, block: &syn::Block) {
        // The span that is replaced is the body without its braces: from the first statement on.
        let Some(first) = block.stmts.first() else { return };
        let mutants = self.at(first, &["FnValue"]);
        if !mutants.is_empty() {
            let start = self.span(block).0 + 1;
            self.found.insert((start, std::cmp::Reverse(start)), Place::Body(mutants));
        }
    }
}

impl<'ast> Visit<'ast> for Places<'_> {
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_expr_repeat(&mut self, node: &'ast syn::ExprRepeat) {
        self.visit_expr(&node.expr);
    }
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}

    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        if node.sig.constness.is_none() {
            self.body(&node.block);
            visit::visit_item_fn(self, node);
        }
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        if node.sig.constness.is_none() {
            self.body(&node.block);
            visit::visit_impl_item_fn(self, node);
        }
    }

    fn visit_trait_item_fn(&mut self, node: &'ast syn::TraitItemFn) {
        if let Some(block) = &node.default {
            self.body(block);
        }
        visit::visit_trait_item_fn(self, node);
    }

    fn visit_expr_binary(&mut self, node: &'ast syn::ExprBinary) {
        let mutants = self.at(&node.op, &["BinaryOperator"]);
        if !mutants.is_empty() && !has_let(&node.left) && !has_let(&node.right) {
            let (start, end) = self.span(node);
            let (left, right) = (self.span(&node.left).1, self.span(&node.right).0);
            self.found.insert((start, std::cmp::Reverse(end)), Place::Binary { left, right, mutants });
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'ast syn::ExprUnary) {
        let mutants = self.at(node, &["UnaryOperator"]);
        if !mutants.is_empty() {
            let (start, end) = self.span(node);
            let operand = self.span(&node.expr).0;
            self.found.insert((start, std::cmp::Reverse(end)), Place::Unary { operand, mutants });
        }
        visit::visit_expr_unary(self, node);
    }

    fn visit_arm(&mut self, node: &'ast syn::Arm) {
        let mut mutants = self.at(node, &["MatchArm"]);
        if let Some((_, guard)) = &node.guard {
            mutants.extend(self.at(&**guard, &["MatchArmGuard"]));
        }
        if !mutants.is_empty() && !node.guard.as_ref().is_some_and(|(_, guard)| has_let(guard)) {
            let pattern = self.span(&node.pat).1;
            let guard = node.guard.as_ref().map(|(_, guard)| self.span(&**guard));
            let end = guard.map_or(pattern, |(_, end)| end);
            // What is written anew is from the pattern's end to the guard's end.
            self.found.insert((pattern, std::cmp::Reverse(end)), Place::Arm { guard, mutants });
        }
        visit::visit_arm(self, node);
    }
}

/// Parts of a chain of conditions with `let` cannot be put in brackets.
fn has_let(of: &syn::Expr) -> bool {
    match of {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

/// Writes a file anew. Places are in order: by where they begin, and the outer before the inner.
struct Writer<'a> {
    source: &'a str,
    of: &'a [&'a Mutant],
    places: Vec<(&'a (usize, std::cmp::Reverse<usize>), &'a Place)>,
}

impl Writer<'_> {
    /// A stretch of the source with every place in it written anew, from this place on.
    fn write(&self, from: usize, to: usize, first: usize) -> String {
        let (mut text, mut at) = (String::new(), from);
        for (index, ((start, end), place)) in self.places.iter().enumerate().skip(first) {
            if *start > to {
                break;
            }
            if *start >= at && end.0 <= to {
                text.push_str(&self.source[at..*start]);
                text.push_str(&self.place(index, (*start, end.0), place));
                at = end.0;
            }
        }
        text.push_str(&self.source[at..to]);
        text
    }

    fn place(&self, at: usize, (start, end): (usize, usize), place: &Place) -> String {
        let on = |index: &usize| format!("crate::mutant({})", self.of[*index].number);
        let marked = |index: &usize, code: &str| {
            let number = self.of[*index].number;
            format!("/*<{number}*/{code}/*{number}>*/")
        };
        let replacement = |index: &usize| self.of[*index].replacement.clone();
        match place {
            Place::Body(mutants) => mutants
                .iter()
                .map(|index| {
                    let code = format!("if {} {{ return {}; }}", on(index), replacement(index));
                    marked(index, &code)
                })
                .collect(),
            Place::Binary { left, right, mutants } => {
                let (l, r) = (&self.source[start..*left], &self.source[*right..end]);
                let branch =
                    |index: &usize| marked(index, &format!("if {} {{ {l} {} {r} }}", on(index), replacement(index)));
                let branches: Vec<String> = mutants.iter().map(branch).collect();
                let own = self.write(start, end, at + 1);
                format!("({} else {{ {own} }})", branches.join(" else "))
            }
            Place::Unary { operand, mutants } => {
                let bare = &self.source[*operand..end];
                let branch = |index: &usize| marked(index, &format!("if {} {{ {bare} }}", on(index)));
                let branches: Vec<String> = mutants.iter().map(branch).collect();
                let own = self.write(start, end, at + 1);
                format!("({} else {{ {own} }})", branches.join(" else "))
            }
            Place::Arm { guard, mutants } => {
                let mut condition = match guard {
                    Some((from, to)) => format!("({})", self.write(*from, *to, at + 1)),
                    None => "true".to_owned(),
                };
                for index in mutants {
                    condition = match (self.of[*index].genre.as_str(), replacement(index).as_str()) {
                        ("MatchArmGuard", "true") => format!("({} || {condition})", on(index)),
                        _ => format!("(!{} && {condition})", on(index)),
                    };
                    condition = marked(index, &condition);
                }
                format!(" if {condition}")
            }
        }
    }
}
