//! A bare array that belongs to a record which came by another request.

use super::*;

const ONE: Shape = Shape { records: None, leaves: &[] };

/// The record `a` that says these amount and currency, and the array read as its actions.
fn part(record: &str, array: &[u8]) -> Result<(Page, Page), Malformed> {
    let projection = projection(Profile::Standard).1;
    let record = projection.page(record.as_bytes().to_vec(), &ONE).unwrap();
    let part = projection.part(&record, "actions", array.to_vec())?;
    Ok((record, part))
}

fn of_a(array: &str) -> Page {
    part(r#"{"id":"a\u0062","amount":7,"customer":"c"}"#, array.as_bytes()).unwrap().1
}

#[test]
fn elements_become_child_rows_of_the_record_and_the_record_becomes_no_row() {
    let page = of_a(r#"[{"id":"x","status":"Done"},{"id":"y","sum":{"charged":"1.50","currency":"EUR"}}]"#);
    assert_eq!(show(&page, 1), ["ab|x|done|0|-|-", "ab|y|-|1|150|eur"]);
    assert_eq!((show(&page, 0), page.records, page.last_id()), (vec![], 0, None));
    assert_eq!((&page.tables[1].parents, &page.tables[1].lengths), (&vec![0, 0], &vec![(0, 2)]));
    assert!(page.rejected.is_empty() && page.drift.is_empty());
}

#[test]
fn it_is_read_as_if_it_stood_in_the_record() {
    let array = r#"[{"id":"x","status":"New"},7,{"id":"z z"},{"id":"x","status":"Old"},{"status":"s"},null,
        {"id":"y","sum":{"charged":"1.555","currency":"eur"}},{"id":"w","secret":"s","new_field":1},{"id":"é"}]"#;
    let (_, part) = part(r#"{"id":"a","amount":7}"#, array.as_bytes()).unwrap();
    let whole = read(Profile::Standard, &format!(r#"{{"data":[{{"id":"a","amount":7,"actions":{array}}}]}}"#));
    assert_eq!(show(&part, 1), ["a|x|new|0|-|-", "a|w|-|7|-|-"], "of an id that comes twice the first stands");
    assert_eq!(show(&part, 1), show(&whole, 1));
    assert_eq!((part.rejected.len(), &part.rejected), (6, &whole.rejected));
    assert_eq!(part.drift, whole.drift);
    assert_eq!(part.drift.keys().collect::<Vec<_>>(), ["actions[].new_field"]);
    assert!(!part.made.contains("secret"));
}

#[test]
fn an_empty_array_is_no_rows_and_what_is_no_array_is_a_fault() {
    let page = of_a(" [] ");
    assert_eq!((show(&page, 1), &page.tables[1].lengths), (vec![], &vec![(0, 0)]));
    let record = r#"{"id":"a"}"#;
    for odd in ["{}", "null", "17", "\"[]\"", "true", r#"{"actions":[]}"#, r#"{"error_type":"x"}"#, "1e3"] {
        assert_eq!(part(record, odd.as_bytes()).unwrap_err(), Malformed::NoRecords, "{odd}");
    }
    for cut in [
        r#"[{"id":"x"},"#,
        "[",
        "",
        r#"[{"id":"x"}"#,
        r#"[{"id":"x"},]"#,
        r#"[{"id":"x","status":"\ud800"}"#,
        r#"[{"id":"x","status":"\ud800}]"#,
        r#"[{"id":"x","status":1e999},{"id":}]"#,
        "<html>",
    ] {
        assert!(matches!(part(record, cut.as_bytes()).unwrap_err(), Malformed::Json(..)), "{cut}");
    }
    for behind in ["[] x", "[]{}", r#"[],"id":"b""#, "[]\0"] {
        assert_eq!(part(record, behind.as_bytes()).unwrap_err(), Malformed::Trailing, "{behind}");
    }
}

#[test]
fn an_element_that_breaks_a_rule_of_json_is_rejected_alone() {
    for broken in [r#""\ud83d""#, "1e999", "-1e999", r#""\udc00\ud800""#] {
        let array = format!(
            r#"[{{"id":"x","status":"New","new_field":1}},{{"id":"y","status":{broken},"other_field":1}},
                {{"status":{broken},"id":"z"}},{{"id":"x","status":"Old"}},7,{{"id":"w","sum":{{"charged":"1.50","currency":"EUR"}}}}]"#
        );
        let page = of_a(&array);
        assert_eq!(show(&page, 1), ["ab|x|new|0|-|-", "ab|w|-|5|150|eur"], "{broken}");
        assert_eq!((&page.tables[1].parents, &page.tables[1].lengths), (&vec![0, 0], &vec![(0, 6)]));
        let rejected = |id: &str, reason| Rejected { table: 1, id: id.to_owned(), reason, column: String::new() };
        let expected = [rejected("y", "not_json"), rejected("", "not_json")];
        assert_eq!(page.rejected[..2], expected, "{broken}");
        assert_eq!((page.rejected.len(), page.rejected[2].reason), (3, "not_an_object"));
        assert_eq!(page.drift["actions[].new_field"], 1, "counted once, although read twice");
        let (_, alone) = part(r#"{"id":"a"}"#, format!(r#"[{{"id":"x","status":{broken}}}]"#).as_bytes()).unwrap();
        assert_eq!((show(&alone, 1), alone.rejected), (vec![], vec![rejected("x", "not_json")]));
    }
}

#[test]
fn bytes_that_are_no_text_spoil_only_what_is_kept_of_them() {
    let (_, page) = part(r#"{"id":"a"}"#, b"[{\"id\":\"x\",\"secret\":\"\xff\"}]").unwrap();
    assert_eq!(show(&page, 1), ["a|x|-|0|-|-"]);
    assert!(part(r#"{"id":"a"}"#, b"[{\"id\":\"\xff\"}]").is_err());
}

#[test]
fn without_a_record_or_a_table_there_is_nothing_to_belong_to() {
    let projection = projection(Profile::Standard).1;
    let none = projection.page(br#"{"id":"a","amount":"odd"}"#.to_vec(), &ONE).unwrap();
    assert_eq!(none.rejected.len(), 1);
    assert_eq!(projection.part(&none, "actions", b"[]".to_vec()).unwrap_err(), Malformed::NoRecords);
    let record = projection.page(br#"{"id":"a"}"#.to_vec(), &ONE).unwrap();
    for field in ["others", "card", "id"] {
        assert_eq!(projection.part(&record, field, b"[]".to_vec()).unwrap_err(), Malformed::NoRecords, "{field}");
    }
}
