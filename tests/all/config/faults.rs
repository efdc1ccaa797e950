//! What is said of a wrong file: each fault with its place, its words and its advice, and never a value.

use super::*;

#[test]
fn an_unknown_name_is_told_with_the_one_that_was_meant() {
    assert_eq!(fault(&stripe("pol = \"5m\"")), "line 3, column 1: unknown key `pol`; did you mean `poll`?");
    assert_eq!(fault(&stripe("level = \"info\"")), "line 3, column 1: unknown key `level`; it belongs in [log]");
    assert_eq!(fault("[upsteam]\n"), "line 1, column 2: unknown section `upsteam`; did you mean `upstream`?");
    assert_eq!(fault("  mode = \"on\"\n"), "line 1, column 3: unknown key `mode`; it belongs in [upstream]");
    assert_eq!(fault("[log]\ncolour = 1\n"), "line 2, column 1: unknown key `colour`; [log] knows level");
    assert_eq!(
        fault("[elsewhere]\n"),
        "line 1, column 2: unknown section `elsewhere`; the sections are [connections.NAME], [privacy], [upstream], \
         [store], [publish], [log]"
    );
    assert_eq!(
        fault("[connections]\nprovider = \"stripe\"\n"),
        "line 2, column 1: `provider` stands outside a connection; settings belong in [connections.NAME]"
    );
    assert_eq!(fault("log = \"info\"\n"), "line 1, column 1: `log` is a table; write it as [log]");
    assert_eq!(
        fault("[log]\n\"a\\u001b[31m\" = 1\n"),
        "line 2, column 1: unknown key `a\\u{1b}[31m`; [log] knows level",
        "nothing in a name reaches the terminal as a command"
    );
}

#[test]
fn a_wrong_type_is_told_with_what_was_expected() {
    for (line, expected) in [
        (
            "start = \"2024-01-01\"",
            "`start`: expected a day without quotation marks, such as 2024-01-01, found a string",
        ),
        (
            "start = 2024-01-01T00:00:00Z",
            "`start`: expected a day without quotation marks, such as 2024-01-01, found a time of day",
        ),
        ("start = 2009-12-31", "`start`: expected a day from 2010-01-01 to 2099-12-31"),
        ("poll = 5", "`poll`: expected \"auto\" or a span such as \"5m\" (s, m, h, d), found a whole number"),
        ("poll = \"often\"", "`poll`: expected \"auto\" or a span such as \"5m\" (s, m, h, d)"),
        ("poll = \"2d\"", "`poll`: expected a span from 1s to 1d"),
        (
            "reads_per_month = 1.5",
            "`reads_per_month`: expected \"auto\" or a whole number from 100 to 1000000000, found a number with a fraction",
        ),
        ("reads_per_month = -5", "`reads_per_month`: expected \"auto\" or a whole number from 100 to 1000000000"),
        ("requests_per_second = \"20\"", "`requests_per_second`: expected a number from 0.1 to 100000, found a string"),
        ("requests_per_second = 0", "`requests_per_second`: expected a number from 0.1 to 100000"),
        ("requests_per_second = nan", "`requests_per_second`: expected a number from 0.1 to 100000"),
        (
            "streams = \"charges\"",
            "`streams`: expected a list of strings, each the name of a stream, such as \"charges\", found a string",
        ),
        ("streams = []", "`streams`: the list is empty: name at least one, or leave the key out"),
        ("accounts = \"al\"", "`accounts`: expected \"own\" or \"all\"; did you mean \"all\"?"),
        ("base_url = \"api.stripe.com\"", "`base_url`: an address begins with https:// (or http:// on loopback)"),
        ("base_url = \"http://api.stripe.com\"", "`base_url`: plain http is only for loopback addresses; use https"),
        ("proxy = \"http://u:p@proxy:1\"", "`proxy`: an address here holds no user name and no password"),
        (
            "ca_file = \"~/ca.pem\"",
            "`ca_file`: `~` is not expanded here: write the whole path, or one relative to this file",
        ),
        ("ca_file = true", "`ca_file`: expected a path, found true or false"),
    ] {
        let column = line.find('=').unwrap() + 3;
        assert_eq!(fault(&stripe(line)), format!("line 3, column {column}: {expected}"), "{line}");
    }
    assert_eq!(
        fault(&stripe("streams = [\"charges\",\n  \"charges\"]")),
        "line 4, column 3: `streams`: this stands in the list twice",
        "the place of the item"
    );
    for line in
        ["environment = \"live\"", "prefix = \"VKU\"", "entities = [\"w4j\"]", "report_timezone = \"+1\"", "keys = []"]
    {
        assert_eq!(faults(&checkout(&format!("{CLIENT}\n{line}"))).len(), 1, "{line}");
    }
    assert_eq!(
        fault(&checkout("client_id = \"vkuhvk4v\"")),
        "line 3, column 13: `client_id`: a client id is `cli_` and at least 8 of a-z and 0-9"
    );
}

#[test]
fn the_rules_over_two_settings() {
    assert_eq!(
        fault(&stripe(CLIENT)),
        "line 3, column 13: `client_id` is a setting of checkoutcom; this connection is stripe: take it out"
    );
    assert_eq!(
        fault(&checkout(&format!("{CLIENT}\naccounts = \"all\""))),
        "line 4, column 12: `accounts` is a setting of stripe; this connection is checkoutcom: take it out"
    );
    assert_eq!(
        fault(&checkout("")),
        "line 1, column 14: `client_id` is missing; the address is derived from it; or give `prefix` or `base_url`"
    );
    assert_eq!(
        fault("[connections.a]\nstart = 2024-01-01\n"),
        "line 1, column 14: `provider` is missing; add `provider = \"stripe\"`: stripe or checkoutcom"
    );
    assert_eq!(
        fault("[connections.\"Main Street\"]\nprovider = \"stripe\"\n"),
        "line 1, column 14: the connection `Main Street` has no proper name: a name is 1 to 64 of a-z, 0-9, - and _"
    );
    assert_eq!(
        fault("[upstream]\nmode = \"on\"\n"),
        "line 2, column 8: `mode`: \"on\" sends, and there is no `url` to send to; add `url`, or set mode = \"local\""
    );
    assert_eq!(
        faults("[upstream]\nmode = \"on\"\nurl = \"x\"\n").len(),
        1,
        "a faulty address is not also a missing one"
    );
    assert_eq!(
        fault("[publish]\nevery = \"1h\"\n"),
        "line 2, column 9: `every` stands without `to`; add `to`, the file to replace"
    );
    assert!(fault(&stripe("requests_per_second = 101")).contains("no provider grants more than 100"));
    let own = stripe("requests_per_second = 5000\nbase_url = \"http://127.0.0.1:1\"");
    assert_eq!(config(&own).connections["main"].requests_per_second, 5000.0, "our own machine may be asked more");
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = "[log]\nlevel = \"inf\"\n[connections.a]\nprovider = \"strip\"\npoll = 1\n[privacy]\nlocl = \"x\"\n[connections.b]\n";
    let lines: Vec<usize> = parse(text, Path::new(FILE)).unwrap_err().iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 4, 5, 7, 8]);
    assert_eq!(
        faults(text)[0],
        "line 2, column 9: `level`: expected \"error\", \"warn\", \"info\", \"debug\" or \"trace\"; did you mean \"info\"?"
    );
    assert_eq!(
        faults(text)[1],
        "line 4, column 12: `provider`: expected \"stripe\" or \"checkoutcom\"; did you mean \"stripe\"?"
    );
}

#[test]
fn broken_syntax_is_told_once_with_its_place() {
    assert_eq!(
        fault("[log]\nlevel = debug\n"),
        "line 2, column 9: string values must be quoted, expected literal string"
    );
    assert_eq!(fault("[log]\nlevel = \"info\"\nlevel = \"info\"\n"), "line 3, column 1: duplicate key");
    assert!(fault("[log\nlevel = 1").starts_with("line 1, column 5: "));
}

#[test]
fn a_key_in_the_file_is_refused_and_never_shown() {
    const CANARY: &str = "51HcanaryCANARYcanary0123456789";
    let advice =
        |name: &str| format!("keys do not belong in the file; use `counterfoil key set {name}`, and take this one out");
    for (line, name) in [
        (format!("key = \"sk_live_{CANARY}\""), "main"),
        (format!("api_key = \"{CANARY}\""), "main"),
        (format!("client_secret = \"{CANARY}\""), "main"),
        (format!("password = [\"{CANARY}\"]"), "main"),
        (format!("proxy = \"sk_test_{CANARY}\""), "main"),
        (format!("streams = [\"rk_live_{CANARY}\"]"), "main"),
        (format!("start = \"whsec_{CANARY}\""), "main"),
        (format!("sk_live_{CANARY} = true"), "main"),
        (format!("unknown = {{ x = \"ack_{CANARY}\" }}"), "main"),
        (format!("# sk_live_{CANARY}"), "NAME"),
        (format!("poll = sk_live_{CANARY}"), "NAME"),
        (format!("poll = \"sk_live_{CANARY}"), "NAME"),
    ] {
        let all = faults(&stripe(&line));
        assert!(
            all.iter().any(|fault| fault.starts_with("line 3") && fault.ends_with(&advice(name))),
            "{line}: {all:?}"
        );
        assert!(!all.concat().contains("CANARY"), "{all:?}");
    }
    for (text, place) in [
        (format!("sk_live_{CANARY} = 1\n"), "line 1, column 1"),
        (format!("secret = \"{CANARY}\"\n"), "line 1, column 1"),
        (format!("[connections.sk_live_{CANARY}]\n"), "line 1, column 14"),
        (format!("[connections]\nkey = \"{CANARY}\"\n"), "line 2, column 1"),
        (format!("[log]\nlevel = \"pk_test_{CANARY}\"\n"), "line 2, column 9"),
    ] {
        assert_eq!(fault(&text), format!("{place}: {}", advice("NAME")), "{text}");
    }
    // No other value is quoted either: it may be a key of a shape that nobody knows yet.
    for line in ["start", "poll", "reads_per_month", "streams", "accounts", "base_url", "proxy", "other"] {
        assert!(!faults(&stripe(&format!("{line} = \"{CANARY} \""))).concat().contains("CANARY"), "{line}");
    }
    assert!(parse("[privacy]\nmetadata_keys = [\"pk_order\"]\n", Path::new(FILE)).is_ok(), "a name is not a key");
}

#[test]
fn a_slip_in_the_name_of_keys_is_a_slip() {
    assert_eq!(
        fault(&checkout(&format!("{CLIENT}\nkey = [\"default\"]"))),
        "line 4, column 1: unknown key `key`; did you mean `keys`?"
    );
}

proptest::proptest! {
    /// Whatever stands in the file, there is an answer, and every fault lies within the file.
    #[test]
    fn any_text_has_an_answer(at in 0..WHOLE.len(), cut in 0..40usize, noise in "[a-z\\[\\]\"=.#\\n{}é\u{0}-]{0,8}") {
        let text = format!("{}{noise}{}", &WHOLE[..at], WHOLE.get(at + cut..).unwrap_or_default());
        if let Err(faults) = parse(&text, Path::new(FILE)) {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!((1..=text.lines().count() + 1).contains(&fault.line), "{fault}");
                assert!(fault.column >= 1, "{fault}");
            }
        }
    }
}
