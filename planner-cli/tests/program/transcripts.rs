//! Transcripts: every command shown in the documentation and in `tests/cmd` prints what it says.
//!
//! `TRYCMD=overwrite cargo test -p planner-cli --test program transcripts` writes them anew; then read the diff.

#[test]
fn transcripts_are_what_the_program_prints() {
    let cases = trycmd::TestCases::new();
    cases.register_bin("kvplan", std::path::Path::new(crate::KVPLAN));
    cases.env("NO_COLOR", "1");
    cases
        .case("tests/cmd/*.trycmd")
        .case("../docs/questions.md")
        .case("../README.md")
        .case("../README.zh.md");
}
