//! `racker bake --check`.

use super::support::Kitchen;

/// A recipe on the small root file system, and what checking it comes to.
fn checked(recipe: &str) -> (Kitchen, serde_json::Value) {
    let kitchen = Kitchen::new();
    kitchen.recipe("box.toml", recipe);
    let output = kitchen
        .racker
        .run(&["bake", "--check", "--json", "box.toml"]);
    let report = output.json();
    let unequal = report[0]["unequal"].as_array();
    let unequal = unequal.unwrap_or_else(|| panic!("{}", output.report()));
    let code = if unequal.is_empty() { 0 } else { 104 };
    let output = output.code(code);
    if code == 104 {
        output.says("racker: not reproducible: box/").one_message();
    }
    kitchen.racker.verify();
    (kitchen, report)
}

#[test]
fn what_is_equal_is_said_to_be() {
    let (kitchen, report) = checked("[[step]]\nrun = \"echo one > /one\"\n");
    assert_eq!(report[0]["made"], 1);
    // Once more, with the step on record.
    let output = kitchen.racker.run(&["bake", "--check", "box.toml"]);
    let output = output.success();
    assert!(output.made().is_empty(), "{}", output.report());
    output.says("box/1: made again, the same came out");
}

#[test]
fn what_differs_is_shown_with_what_would_cover_it() {
    let recipe = "
        normalise = { machine-id = false, mtime-clamp = false }
        [[step]]
        run = '''
        tr -d -- - < /proc/sys/kernel/random/uuid > /etc/machine-id
        echo same > /made-now
        echo same > /clean
        touch -d @0 /clean / /etc
        '''
        [[step]]
        run = '''
        n=$(cat /proc/sys/kernel/random/uuid)
        mkdir -p /var/lib/thing /var/log
        ln -s \"$n\" /var/lib/thing/link
        echo \"$n\" > \"/var/lib/thing/$n\"
        cat /proc/sys/kernel/random/uuid > /var/log/thing.log
        touch -d @0 /var /var/lib /var/lib/thing /var/log
        touch -h -d @0 /var/lib/thing/*
        '''
        [[step]]
        run = \"cat /etc/machine-id > /derived; touch -d @0 / /derived\"
    ";
    let (kitchen, report) = checked(recipe);
    let unequal = report[0]["unequal"].as_array().unwrap();
    // The third step makes of what it starts from the same again, whatever that is.
    let steps: Vec<&str> = unequal
        .iter()
        .map(|it| it["step"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["box/1", "box/2"], "{report:#}");
    let finding = |step: usize, path: &str| {
        let files = unequal[step]["files"].as_array().unwrap();
        let found = files.iter().find(|it| it["path"] == path);
        found
            .unwrap_or_else(|| panic!("{path} is not in {report:#}"))
            .clone()
    };
    let id = finding(0, "/etc/machine-id");
    assert!(id["differs"].as_array().unwrap().contains(&"bytes".into()));
    assert_eq!(id["likely"]["rule"], "machine-id");
    assert_eq!(id["likely"]["reason"], "switched-off");
    let time = finding(0, "/made-now");
    assert_eq!(time["differs"], serde_json::json!(["mtime"]));
    assert_eq!(time["likely"]["rule"], "mtime-clamp");
    let files = unequal[0]["files"].as_array().unwrap();
    assert!(files.iter().all(|it| it["path"] != "/clean"));
    assert_eq!(
        finding(1, "/var/lib/thing/link")["differs"],
        serde_json::json!(["target"])
    );
    let log = finding(1, "/var/log/thing.log");
    assert_eq!(log["likely"]["rule"], "package-logs");
    assert_eq!(log["likely"]["reason"], "not-covered");
    let changes: Vec<_> = unequal[1]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["change"])
        .collect();
    assert!(changes.contains(&&"added".into()) && changes.contains(&&"removed".into()));
    // Both trees are there to be looked at.
    let tree = |name: &str| unequal[1][name].as_str().unwrap();
    let output = kitchen
        .racker
        .run(&["diff", tree("recorded"), tree("made")])
        .success();
    assert!(
        output.text().contains("/var/lib/thing/link"),
        "{}",
        output.report()
    );
    // For a person.
    let output = kitchen
        .racker
        .run(&["bake", "--check", "box.toml"])
        .code(104);
    assert!(
        output.text().contains("rule machine-id would cover it"),
        "{}",
        output.report()
    );
    output.says("hint: ");
}

#[test]
fn the_network_is_no_excuse() {
    let recipe = "[[step]]\nrun = { script = \"cat /proc/sys/kernel/random/uuid > /now\", network = true }\n";
    let (_kitchen, report) = checked(recipe);
    assert_eq!(report[0]["unequal"][0]["impure"], true);
}
