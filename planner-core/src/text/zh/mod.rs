//! 简体中文：句子模板的译文。

mod config;
mod engines;
mod families;
mod gguf;
mod quantities;
mod question;
mod rules;
mod vllm;

/// English templates with their Chinese.
type Table = &'static [(&'static str, &'static str)];

const TABLES: &[Table] = &[
    question::TABLE,
    config::TABLE,
    gguf::TABLE,
    quantities::TABLE,
    vllm::TABLE,
    engines::TABLE,
    rules::TABLE,
    families::TABLE,
];

/// The Chinese of a template.
pub fn sentence(english: &str) -> Option<&'static str> {
    let entry = TABLES.iter().flat_map(|table| table.iter()).find(|(key, _)| *key == english);
    entry.map(|(_, chinese)| *chinese)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(template: &str) -> Vec<&str> {
        let mut found: Vec<&str> =
            template.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn every_translation_is_chinese_and_takes_what_its_template_takes() {
        for (english, chinese) in TABLES.iter().copied().flatten() {
            assert_eq!(places(english), places(chinese), "{english}");
            let is_own = chinese.chars().any(|c| c > '\u{2e7f}') || chinese == english;
            assert!(is_own, "{english}: {chinese}");
        }
    }

    #[test]
    fn no_template_is_there_twice() {
        let mut keys: Vec<&str> = TABLES.iter().copied().flatten().map(|(english, _)| *english).collect();
        keys.sort_unstable();
        let twice: Vec<&[&str]> = keys.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    /// What the data files of `models/` say, which no compiler asks about.
    fn of_data() -> Vec<String> {
        let printed = format!("{:?}", planner_models::FAMILIES);
        let reasons = printed.split("refuse('").skip(1).filter_map(|rest| rest.split('\'').next());
        let families = planner_models::FAMILIES.iter().filter_map(|family| family.refuse);
        let encoders = planner_models::ENCODERS.iter().map(|encoder| encoder.why);
        reasons.chain(families).chain(encoders).map(str::to_owned).collect()
    }

    #[test]
    fn every_reason_of_the_data_files_has_its_chinese() {
        let said = of_data();
        assert!(said.len() > 50, "{}", said.len());
        let lacking: Vec<&String> = said.iter().filter(|english| sentence(english).is_none()).collect();
        assert!(lacking.is_empty(), "not in text/zh/families.rs: {lacking:#?}");
    }

    #[test]
    fn every_translation_of_a_data_file_is_of_one() {
        let said = of_data();
        let unsaid: Vec<&str> = families::TABLE
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| !said.iter().any(|one| one == key))
            .collect();
        assert!(unsaid.is_empty(), "{unsaid:#?}");
    }
}
