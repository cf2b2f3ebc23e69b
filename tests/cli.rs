//! What every command and every error prints, and its exit status: the cases in `tests/cli`.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use assert_cmd::Command;

#[test]
fn commands_print_what_the_cases_say() {
    trycmd::TestCases::new().case("tests/cli/*.trycmd");
}

#[test]
fn json_of_models_and_of_a_traced_image_is_complete() {
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = Command::cargo_bin("senet")
            .unwrap()
            .args(arguments)
            .assert()
            .success();
        serde_json::from_slice(&output.get_output().stdout).unwrap()
    };
    let models = json(&["models", "--format", "json"]);
    let networks = senet::network::catalog::networks().count();
    assert_eq!(models["models"].as_array().unwrap().len(), networks);
    assert_eq!(models["models"][2]["name"], "seresnet20");
    assert_eq!(models["models"][2]["builtin"], "builtin:seresnet20");
    let trace = json(&[
        "trace",
        "--image",
        "tests/images/photos/cat.jpg",
        "--format",
        "json",
    ]);
    assert_eq!(trace["input_shape"], serde_json::json!([1, 3, 32, 32]));
    assert_eq!(trace["layers"].as_array().unwrap().len(), 127);
    for layer in trace["layers"].as_array().unwrap() {
        assert!(layer["time_ms"].as_f64().unwrap() >= 0., "{layer}");
        assert_eq!(layer["values"]["nan"], 0, "{layer}");
        assert!(
            layer["values"]["min"].as_f64() <= layer["values"]["max"].as_f64(),
            "{layer}"
        );
    }
}

#[test]
fn help_says_how_many_images_the_engine_computes_at_a_time() {
    let printed = |arguments: &[&str]| {
        let mut senet = Command::cargo_bin("senet").unwrap();
        let output = senet.args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let plan = printed(&["trace", "seresnet20", "--plan", "--batch-size", "64"]);
    let (_, at_a_time) = plan.split_once("\nimages  ").unwrap();
    let count = at_a_time.split(' ').next().unwrap();
    for command in ["classify", "bench"] {
        let help = printed(&[command, "--help"]);
        let help: Vec<&str> = help.split_whitespace().collect();
        let said = format!("the engine cpu computes {count} at a time, candle all");
        assert!(help.join(" ").contains(&said), "{command}: {said}");
    }
}
