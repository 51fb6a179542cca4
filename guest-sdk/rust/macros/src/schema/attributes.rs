//! What the attributes of a type, a field or a variant say that the schema has to know.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, ExprArray, ExprLit, ExprUnary, Lit, LitStr, Meta, Result, Token, Type, UnOp, token};

use super::names::Case;

/// Keywords that `#[schema(…)]` takes, as authors and as schemas write them.
const KEYWORDS: [(&str, &str); 18] = [
    ("default", "default"),
    ("examples", "examples"),
    ("exclusive_maximum", "exclusiveMaximum"),
    ("exclusive_minimum", "exclusiveMinimum"),
    ("format", "format"),
    ("max_items", "maxItems"),
    ("max_length", "maxLength"),
    ("max_properties", "maxProperties"),
    ("maximum", "maximum"),
    ("min_items", "minItems"),
    ("min_length", "minLength"),
    ("min_properties", "minProperties"),
    ("minimum", "minimum"),
    ("multiple_of", "multipleOf"),
    ("pattern", "pattern"),
    ("title", "title"),
    ("unique_items", "uniqueItems"),
    ("values", "enum"),
];

/// What is said about a type, a field or a variant.
#[derive(Default)]
pub(super) struct Of {
    pub(super) description: Option<String>,
    /// Keywords with their values as JSON.
    pub(super) keywords: Vec<(String, String)>,
    pub(super) renamed: Option<String>,
    pub(super) aliases: Vec<String>,
    pub(super) is_optional: bool,
    pub(super) is_skipped: bool,
    /// Whether serde reads it in a way of its own.
    pub(super) is_by_hand: bool,
    /// How its fields are named, of a variant.
    pub(super) case: Option<Case>,
    said: Option<Type>,
    from: Option<Type>,
}

/// What is said about a type.
#[derive(Default)]
pub(super) struct Container {
    pub(super) of: Of,
    pub(super) case: Option<Case>,
    pub(super) field_case: Option<Case>,
    pub(super) denies_unknown: bool,
    pub(super) tag: Option<String>,
    pub(super) is_untagged: bool,
}

impl Of {
    pub(super) fn read(attributes: &[Attribute]) -> Result<Self> {
        Ok(Container::read(attributes)?.into_part())
    }

    /// The type whose schema it has.
    pub(super) fn taken_for(&self) -> Option<Type> {
        self.said.clone().or_else(|| self.from.clone())
    }

    fn read_schema(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        if name == "as" {
            self.said = Some(meta.value()?.parse::<LitStr>()?.parse()?);
            return Ok(());
        }
        let Some((_, keyword)) = KEYWORDS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = KEYWORDS.iter().map(|(known, _)| *known).collect();
            return Err(meta.error(format!("`{name}` is not known; write as or {}", known.join(", "))));
        };
        let value: Expr = meta.value()?.parse()?;
        let json = json(&value).ok_or_else(|| syn::Error::new_spanned(&value, "write a literal, or a list of them"))?;
        self.keywords.push(((*keyword).to_owned(), json));
        Ok(())
    }

    /// The first paragraph of the comment.
    fn read_comment(&mut self, line: &str, is_over: &mut bool) {
        let line = line.trim();
        *is_over |= line.is_empty() && self.description.is_some();
        if *is_over || line.is_empty() {
            return;
        }
        match &mut self.description {
            Some(text) => {
                text.push(' ');
                text.push_str(line);
            }
            None => self.description = Some(line.to_owned()),
        }
    }
}

impl Container {
    pub(super) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        let mut is_over = false;
        for attribute in attributes {
            if attribute.path().is_ident("schema") {
                attribute.parse_nested_meta(|meta| read.of.read_schema(&meta))?;
            } else if attribute.path().is_ident("serde") {
                attribute.parse_nested_meta(|meta| read.read_serde(&meta))?;
            } else if attribute.path().is_ident("doc")
                && let Meta::NameValue(comment) = &attribute.meta
                && let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &comment.value
            {
                read.of.read_comment(&line.value(), &mut is_over);
            }
        }
        Ok(read)
    }

    /// Of a field or a variant, where `rename_all` is about its own fields.
    fn into_part(self) -> Of {
        Of { case: self.case, ..self.of }
    }

    fn read_serde(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let value = value(meta)?;
        let text = value.as_ref().map(LitStr::value);
        let case = |text: &Option<String>| -> Result<Option<Case>> {
            let Some(text) = text else { return Ok(None) };
            Case::parse(text).map(Some).ok_or_else(|| meta.error(format!("{text:?} is no case that serde knows")))
        };
        let ty = |value: &Option<LitStr>| value.as_ref().map(LitStr::parse).transpose();
        match meta.path.get_ident().map(ToString::to_string).unwrap_or_default().as_str() {
            "rename" => self.of.renamed = text,
            "alias" => self.of.aliases.extend(text),
            "default" => self.of.is_optional = true,
            "skip" | "skip_deserializing" => self.of.is_skipped = true,
            "with" | "deserialize_with" => self.of.is_by_hand = true,
            "from" | "try_from" => self.of.from = ty(&value)?,
            "rename_all" => self.case = case(&text)?,
            "rename_all_fields" => self.field_case = case(&text)?,
            "deny_unknown_fields" => self.denies_unknown = true,
            "tag" => self.tag = text,
            "untagged" => self.is_untagged = true,
            "flatten" | "content" | "remote" | "other" => {
                return Err(meta.error(
                    "a schema cannot be derived with flatten, content, remote or other; write #[filter(schema = \"FILE\")]",
                ));
            }
            // What changes nothing about what is read.
            _ => {}
        }
        Ok(())
    }
}

/// What an attribute of serde is set to, for reading.
fn value(meta: &ParseNestedMeta<'_>) -> Result<Option<LitStr>> {
    if meta.input.peek(Token![=]) {
        return match meta.value()?.parse()? {
            Lit::Str(text) => Ok(Some(text)),
            _ => Ok(None),
        };
    }
    let mut found = None;
    if meta.input.peek(token::Paren) {
        meta.parse_nested_meta(|meta| {
            let text = meta.value()?.parse()?;
            if meta.path.is_ident("deserialize") {
                found = Some(text);
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// A literal, or a list of them, as JSON.
fn json(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Str(text) => Some(quoted(&text.value())),
            Lit::Bool(value) => Some(value.value.to_string()),
            Lit::Int(number) => Some(number.base10_digits().to_owned()),
            Lit::Float(number) => Some(number.base10_digits().to_owned()),
            _ => None,
        },
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => Some(format!("-{}", json(expr)?)),
        Expr::Array(ExprArray { elems, .. }) => {
            let elements: Option<Vec<_>> = elems.iter().map(json).collect();
            Some(format!("[{}]", elements?.join(",")))
        }
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => json.extend(['\\', letter]),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json + "\""
}
