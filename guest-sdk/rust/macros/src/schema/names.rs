//! Names as `rename_all` of serde makes them.

/// A way to write names of several words.
#[derive(Clone, Copy)]
pub(super) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Case {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => return None,
        })
    }

    /// Of a field, which is written in snake case.
    pub(super) fn of_field(self, field: &str) -> String {
        match self {
            // As serde has it: of a field these two change nothing but the letters.
            Self::Lower | Self::Snake => field.to_owned(),
            Self::Upper => field.to_ascii_uppercase(),
            _ => self.join(&field.split('_').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()),
        }
    }

    /// Of a variant, which is written in Pascal case.
    pub(super) fn of_variant(self, variant: &str) -> String {
        match self {
            Self::Lower => variant.to_ascii_lowercase(),
            Self::Upper => variant.to_ascii_uppercase(),
            Self::Pascal => variant.to_owned(),
            _ => self.join(&words(variant)),
        }
    }

    fn join(self, words: &[String]) -> String {
        let capital = |word: &String| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        };
        match self {
            Self::Camel => words.iter().take(1).cloned().chain(words.iter().skip(1).map(capital)).collect(),
            Self::Pascal => words.iter().map(capital).collect(),
            Self::Kebab => words.join("-"),
            Self::ScreamingKebab => words.join("-").to_ascii_uppercase(),
            Self::ScreamingSnake | Self::Upper => words.join("_").to_ascii_uppercase(),
            Self::Snake | Self::Lower => words.join("_"),
        }
    }
}

/// The words of a name in Pascal case, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        match words.last_mut() {
            Some(word) if !letter.is_ascii_uppercase() => word.push(letter),
            _ => words.push(letter.to_ascii_lowercase().to_string()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::Case;

    #[test]
    fn names_are_those_of_serde() {
        let cases = [
            ("lowercase", "at_most", "atmost"),
            ("UPPERCASE", "AT_MOST", "ATMOST"),
            ("PascalCase", "AtMost", "AtMost"),
            ("camelCase", "atMost", "atMost"),
            ("snake_case", "at_most", "at_most"),
            ("SCREAMING_SNAKE_CASE", "AT_MOST", "AT_MOST"),
            ("kebab-case", "at-most", "at-most"),
            ("SCREAMING-KEBAB-CASE", "AT-MOST", "AT-MOST"),
        ];
        for (written, field, variant) in cases {
            let case = Case::parse(written).unwrap();
            assert_eq!((case.of_field("at_most").as_str(), case.of_variant("AtMost").as_str()), (field, variant));
        }
    }
}
