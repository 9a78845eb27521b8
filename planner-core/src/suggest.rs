//! "Did you mean": the known names nearest to an unknown one.

/// Longest name that is compared; longer input has no near name.
const MAX_LENGTH: usize = 80;

/// Up to three known names near `name`, nearest first.
pub fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    if name.len() > MAX_LENGTH {
        return Vec::new();
    }
    // a few names, nearest first; of equal scores the first in the alphabet
    let mut nearest: Vec<(usize, &str)> = Vec::new();
    for candidate in known {
        let lower = candidate.to_ascii_lowercase();
        let distance = strsim::osa_distance(&name, &lower);
        let contained = name.len() >= 3 && lower.contains(&name);
        let score = if contained { distance.min(2) } else { distance };
        if score <= (name.len() / 3).clamp(1, 4) {
            let scored = (score, candidate);
            nearest.insert(nearest.iter().take_while(|other| **other < scored).count(), scored);
            nearest.truncate(3);
        }
    }
    nearest.into_iter().map(|(_, candidate)| candidate.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_one_letter_is_found() {
        let known = ["llama3-70b", "llama2-70b", "gpt2"];
        assert_eq!(near("lama3-70b", known), ["llama3-70b", "llama2-70b"]);
        assert!(near("zzzzzz", known).is_empty());
    }
}
