//! Cutting the reader's sentence into the tokens of the small attention.

/// Longest sentence shown, in tokens: the picture is a square of this side.
pub const MOST_TOKENS: usize = 12;

/// A CJK, kana or hangul character, which is a token of its own here.
fn is_ideograph(c: char) -> bool {
    matches!(c as u32,
        0x2E80..=0x303F | 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF
        | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0xFF00..=0xFFEF | 0x20000..=0x3134F)
}

/// Tokens of a sentence: one per ideograph, one per run of other letters and
/// digits, one per other visible character. The second value says whether
/// tokens after [`MOST_TOKENS`] were left off.
pub fn tokens(sentence: &str) -> (Vec<String>, bool) {
    let mut found: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in sentence.chars() {
        if c.is_whitespace() || c.is_control() {
            in_word = false;
            continue;
        }
        let word = c.is_alphanumeric() && !is_ideograph(c);
        let enough = found.len() > MOST_TOKENS;
        match found.last_mut() {
            Some(last) if word && in_word => last.push(c),
            _ if enough => break,
            _ => found.push(c.to_string()),
        }
        in_word = word;
    }
    let cut = found.len() > MOST_TOKENS;
    found.truncate(MOST_TOKENS);
    (found, cut)
}

#[cfg(test)]
mod tests {
    use super::{MOST_TOKENS, tokens};

    #[test]
    fn an_ideograph_is_a_token_and_a_word_is_a_token() {
        assert_eq!(tokens("我爱大模型").0, ["我", "爱", "大", "模", "型"]);
        assert_eq!(tokens(" I love  large models! ").0, ["I", "love", "large", "models", "!"]);
        assert_eq!(tokens("用GPU跑").0, ["用", "GPU", "跑"]);
    }

    #[test]
    fn a_long_sentence_is_cut_and_says_so() {
        let (kept, cut) = tokens("a b c d e f g h i j k l");
        assert_eq!((kept.len(), cut), (MOST_TOKENS, false));
        let (kept, cut) = tokens("a b c d e f g h i j k l m n");
        assert_eq!((kept.len(), cut), (MOST_TOKENS, true));
        assert_eq!(tokens(" \u{7}\n").0.len(), 0);
    }
}
