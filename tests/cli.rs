//! What every command and every error prints, and its exit status: the cases in `tests/cli`.

#![cfg(feature = "cli")]

#[test]
fn commands_print_what_the_cases_say() {
    trycmd::TestCases::new().case("tests/cli/*.trycmd");
}
