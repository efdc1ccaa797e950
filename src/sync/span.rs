//! Arithmetic of half-open spans of time. Pure.

/// `[from, to)` in milliseconds.
pub(super) type Span = (i64, i64);

/// The parts of `whole` that none of `covered` touches, oldest first. `covered` may overlap and be in any order.
pub(super) fn uncovered(whole: Span, covered: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut covered: Vec<Span> = covered.into_iter().filter(|(from, to)| from < to).collect();
    covered.sort_unstable();
    let (mut at, end) = whole;
    let mut free = Vec::new();
    for (from, to) in covered {
        if at >= end {
            break;
        }
        if from > at {
            free.push((at, from.min(end)));
        }
        at = at.max(to);
    }
    if at < end {
        free.push((at, end));
    }
    free
}

/// The same time in as few spans as possible, oldest first.
pub(super) fn joined(spans: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.into_iter().filter(|(from, to)| from < to).collect();
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::new();
    for (from, to) in spans {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_covered_remains() {
        assert_eq!(uncovered((0, 10), []), [(0, 10)]);
        assert_eq!(uncovered((0, 10), [(0, 10)]), []);
        assert_eq!(uncovered((0, 10), [(3, 5), (7, 20)]), [(0, 3), (5, 7)]);
        assert_eq!(uncovered((0, 10), [(7, 8), (-5, 2), (1, 3)]), [(3, 7), (8, 10)]);
        assert_eq!(uncovered((0, 10), [(12, 15), (-3, -1)]), [(0, 10)]);
        assert_eq!(uncovered((5, 5), []), []);
        assert_eq!(uncovered((0, 10), [(4, 4)]), [(0, 10)]);
    }

    #[test]
    fn what_touches_is_joined() {
        assert_eq!(joined([(5, 7), (0, 2), (2, 3), (6, 9), (4, 4)]), [(0, 3), (5, 9)]);
    }

    proptest::proptest! {
        #[test]
        fn every_instant_is_either_covered_or_free(covered in proptest::collection::vec((0i64..50, 0i64..50), 0..8)) {
            let free = uncovered((10, 40), covered.clone());
            for at in 10..40 {
                let inside = |spans: &[Span]| spans.iter().filter(|(from, to)| (*from..*to).contains(&at)).count();
                proptest::prop_assert_eq!(inside(&free), usize::from(inside(&covered) == 0));
            }
        }
    }
}
