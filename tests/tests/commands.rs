//! Transcripts: every command shown in the documentation and in `tests/cmd` prints what it says.

#[test]
fn transcripts_are_what_the_program_prints() {
    let cases = trycmd::TestCases::new();
    cases.register_bin("kvplan", planner_tests::binary());
    cases.env("NO_COLOR", "1");
    cases.case("cmd/*.trycmd").case("../README.md").case("../README.zh.md");
}
