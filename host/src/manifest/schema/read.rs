//! From a schema as written to rules. What is not understood is refused rather than passed over: a schema that means more
//! than is checked would let through what its author has excluded.

use std::collections::{BTreeMap, HashMap};

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Number, Value};

/// How deep a schema may be nested.
const MAX_DEPTH: usize = 48;
/// How many parts it may have.
const MAX_PARTS: usize = 10_000;
/// The longest pattern in bytes, how many there may be, and how large one may be once it is compiled.
const MAX_PATTERN: usize = 1024;
const MAX_PATTERNS: usize = 256;
const MAX_COMPILED: usize = 1 << 20;

/// Keywords that say something about a value without restricting it, and those that are read with others.
const NOT_CHECKED: [&str; 18] = [
    "$comment",
    "$defs",
    "$schema",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "definitions",
    "deprecated",
    "description",
    "examples",
    "format",
    "maxContains",
    "minContains",
    "readOnly",
    "then",
    "title",
    "writeOnly",
];

/// A part of a schema, by its place among the parts.
pub(super) type Part = usize;

/// What one part of a schema demands. What is empty or not there demands nothing.
#[derive(Default)]
pub(super) struct Rules {
    /// Where it is in the schema, as a JSON pointer.
    pub(super) pointer: String,
    /// `false`: no value will do.
    pub(super) never: bool,
    pub(super) types: Vec<Type>,
    /// `enum` and `const`, each of which has to have the value.
    pub(super) values: Vec<Vec<Value>>,
    pub(super) least: Vec<Bound>,
    pub(super) most: Vec<Bound>,
    pub(super) multiple_of: Option<Number>,
    pub(super) length: Range,
    pub(super) pattern: Option<Regex>,
    pub(super) prefix: Vec<Part>,
    pub(super) items: Option<Part>,
    pub(super) contains: Option<(Part, Range)>,
    pub(super) count: Range,
    pub(super) is_unique: bool,
    pub(super) properties: BTreeMap<String, Part>,
    pub(super) patterns: Vec<(Regex, Part)>,
    pub(super) others: Option<Part>,
    pub(super) names: Option<Part>,
    pub(super) required: Vec<String>,
    pub(super) members: Range,
    pub(super) dependent: Vec<(String, Vec<String>)>,
    pub(super) dependent_schemas: Vec<(String, Part)>,
    /// `$ref` and `allOf`.
    pub(super) all: Vec<Part>,
    pub(super) any: Vec<Part>,
    pub(super) one: Vec<Part>,
    pub(super) not: Option<Part>,
    pub(super) condition: Option<(Part, Option<Part>, Option<Part>)>,
}

/// A kind of value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl Type {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

const TYPES: [Type; 7] =
    [Type::Null, Type::Boolean, Type::Integer, Type::Number, Type::String, Type::Array, Type::Object];

/// A bound of a number, and whether it is itself excluded.
pub(super) struct Bound {
    pub(super) limit: Number,
    pub(super) is_excluded: bool,
}

/// How many there may be of something.
#[derive(Clone, Copy, Default)]
pub(super) struct Range {
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
}

/// All parts of a schema, the whole first.
pub(super) fn read(schema: &Value) -> Result<Vec<Rules>, String> {
    let mut reader = Reader { root: schema, parts: Vec::new(), known: HashMap::new(), patterns: 0 };
    reader.part(schema, "", 0)?;
    Ok(reader.parts)
}

struct Reader<'a> {
    root: &'a Value,
    parts: Vec<Rules>,
    /// Parts by their places.
    known: HashMap<String, Part>,
    patterns: usize,
}

type Read<T> = Result<T, String>;

impl<'a> Reader<'a> {
    fn part(&mut self, schema: &'a Value, pointer: &str, depth: usize) -> Read<Part> {
        if let Some(part) = self.known.get(pointer) {
            return Ok(*part);
        }
        if depth > MAX_DEPTH {
            return Err(format!("is nested deeper than {MAX_DEPTH} levels"));
        }
        if self.parts.len() >= MAX_PARTS {
            return Err(format!("has more than {MAX_PARTS} parts"));
        }
        let part = self.parts.len();
        self.parts.push(Rules::default());
        // Before what is in it, which may refer to it.
        self.known.insert(pointer.to_owned(), part);
        let rules = match schema {
            Value::Bool(any) => Rules { pointer: pointer.to_owned(), never: !any, ..Rules::default() },
            Value::Object(members) => self.rules(members, pointer, depth + 1)?,
            _ => return Err(wrong(pointer, "is neither an object nor true or false")),
        };
        self.parts[part] = rules;
        Ok(part)
    }

    fn rules(&mut self, schema: &'a Map<String, Value>, at: &str, depth: usize) -> Read<Rules> {
        let mut rules = Rules { pointer: at.to_owned(), ..Rules::default() };
        for (keyword, value) in schema {
            let here = below(at, keyword);
            match keyword.as_str() {
                "type" => rules.types = types(value, &here)?,
                "enum" => rules.values.push(array(value, &here)?.clone()),
                "const" => rules.values.push(vec![value.clone()]),
                "minimum" => rules.least.push(Bound { limit: number(value, &here)?, is_excluded: false }),
                "maximum" => rules.most.push(Bound { limit: number(value, &here)?, is_excluded: false }),
                "exclusiveMinimum" => rules.least.push(Bound { limit: number(value, &here)?, is_excluded: true }),
                "exclusiveMaximum" => rules.most.push(Bound { limit: number(value, &here)?, is_excluded: true }),
                "multipleOf" => rules.multiple_of = Some(positive(value, &here)?),
                "minLength" => rules.length.least = Some(natural(value, &here)?),
                "maxLength" => rules.length.most = Some(natural(value, &here)?),
                "pattern" => rules.pattern = Some(self.pattern(text(value, &here)?, &here)?),
                "prefixItems" => rules.prefix = self.list(value, &here, depth)?,
                // Of drafts before 2020-12.
                "items" if value.is_array() => rules.prefix = self.list(value, &here, depth)?,
                "items" => rules.items = Some(self.part(value, &here, depth)?),
                "additionalItems" if schema.get("items").is_some_and(Value::is_array) => {
                    rules.items = Some(self.part(value, &here, depth)?);
                }
                // It says nothing where there is no list of items.
                "additionalItems" => {}
                "contains" => {
                    let count = |key| schema.get(key).map(|count| natural(count, &below(at, key))).transpose();
                    let range = Range { least: Some(count("minContains")?.unwrap_or(1)), most: count("maxContains")? };
                    rules.contains = Some((self.part(value, &here, depth)?, range));
                }
                "minItems" => rules.count.least = Some(natural(value, &here)?),
                "maxItems" => rules.count.most = Some(natural(value, &here)?),
                "uniqueItems" => rules.is_unique = boolean(value, &here)?,
                "properties" => rules.properties = self.table(value, &here, depth)?.into_iter().collect(),
                "patternProperties" => {
                    for (pattern, part) in self.table(value, &here, depth)? {
                        rules.patterns.push((self.pattern(&pattern, &here)?, part));
                    }
                }
                "additionalProperties" => rules.others = Some(self.part(value, &here, depth)?),
                "propertyNames" => rules.names = Some(self.part(value, &here, depth)?),
                "required" => rules.required = names(value, &here)?,
                "minProperties" => rules.members.least = Some(natural(value, &here)?),
                "maxProperties" => rules.members.most = Some(natural(value, &here)?),
                "dependentRequired" => {
                    for (name, others) in object(value, &here)? {
                        rules.dependent.push((name.clone(), names(others, &below(&here, name))?));
                    }
                }
                "dependentSchemas" => rules.dependent_schemas = self.table(value, &here, depth)?,
                "$ref" => rules.all.push(self.reference(text(value, &here)?, &here, depth)?),
                "allOf" => rules.all.extend(self.list(value, &here, depth)?),
                "anyOf" => rules.any = self.list(value, &here, depth)?,
                "oneOf" => rules.one = self.list(value, &here, depth)?,
                "not" => rules.not = Some(self.part(value, &here, depth)?),
                "if" => {
                    let condition = self.part(value, &here, depth)?;
                    let mut branch = |key| {
                        let branch: Option<&'a Value> = schema.get(key);
                        branch.map(|branch| self.part(branch, &below(at, key), depth)).transpose()
                    };
                    rules.condition = Some((condition, branch("then")?, branch("else")?));
                }
                "$id" if at.is_empty() => {}
                "else" => {}
                keyword if NOT_CHECKED.contains(&keyword) || keyword.starts_with("x-") => {}
                _ => return Err(wrong(&here, "is a keyword that is not supported")),
            }
        }
        Ok(rules)
    }

    /// What a reference within the schema means (RFC 6901). There is nothing else to refer to, as nothing is fetched.
    fn reference(&mut self, reference: &'a str, at: &str, depth: usize) -> Read<Part> {
        let pointer = reference.strip_prefix('#').filter(|pointer| !pointer.contains('%'));
        match pointer.and_then(|pointer| Some((pointer, self.root.pointer(pointer)?))) {
            Some((pointer, target)) => self.part(target, pointer, depth),
            None => Err(wrong(at, "refers to what is not in it, and nothing is fetched")),
        }
    }

    fn list(&mut self, value: &'a Value, at: &str, depth: usize) -> Read<Vec<Part>> {
        let parts = array(value, at)?.iter().enumerate();
        let parts: Vec<_> =
            parts.map(|(index, part)| self.part(part, &format!("{at}/{index}"), depth)).collect::<Read<_>>()?;
        if parts.is_empty() { Err(wrong(at, "is empty")) } else { Ok(parts) }
    }

    fn table(&mut self, value: &'a Value, at: &str, depth: usize) -> Read<Vec<(String, Part)>> {
        let entries = object(value, at)?.iter();
        entries.map(|(name, part)| Ok((name.clone(), self.part(part, &below(at, name), depth)?))).collect()
    }

    /// By an engine whose time is linear in the text.
    fn pattern(&mut self, pattern: &str, at: &str) -> Read<Regex> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS || pattern.len() > MAX_PATTERN {
            return Err(format!("has more than {MAX_PATTERNS} patterns, or one of more than {MAX_PATTERN} bytes"));
        }
        let mut builder = RegexBuilder::new(pattern);
        let compiled = builder.size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build();
        compiled.map_err(|_| wrong(at, "is no pattern, needs to look ahead or back, or is too large"))
    }
}

/// The pointer to a member.
pub(super) fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn wrong(at: &str, what: &str) -> String {
    let shown: String = at.chars().filter(|letter| !letter.is_control()).take(100).collect();
    format!("is not valid: #{shown} {what}")
}

fn types(value: &Value, at: &str) -> Read<Vec<Type>> {
    let names = match value {
        Value::Array(names) => names.iter().collect(),
        one => vec![one],
    };
    let find = |name: &Value| TYPES.into_iter().find(|known| Some(known.name()) == name.as_str());
    let types = names.into_iter().map(find).collect::<Option<Vec<_>>>();
    types.filter(|types| !types.is_empty()).ok_or_else(|| wrong(at, "is no type"))
}

fn names(value: &Value, at: &str) -> Read<Vec<String>> {
    array(value, at)?.iter().map(|name| text(name, at).map(str::to_owned)).collect()
}

fn array<'a>(value: &'a Value, at: &str) -> Read<&'a Vec<Value>> {
    value.as_array().ok_or_else(|| wrong(at, "is no array"))
}

fn object<'a>(value: &'a Value, at: &str) -> Read<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| wrong(at, "is no object"))
}

fn text<'a>(value: &'a Value, at: &str) -> Read<&'a str> {
    value.as_str().ok_or_else(|| wrong(at, "is no text"))
}

fn boolean(value: &Value, at: &str) -> Read<bool> {
    value.as_bool().ok_or_else(|| wrong(at, "is neither true nor false"))
}

fn number(value: &Value, at: &str) -> Read<Number> {
    value.as_number().cloned().ok_or_else(|| wrong(at, "is no number"))
}

fn positive(value: &Value, at: &str) -> Read<Number> {
    let number = number(value, at)?;
    if number.as_f64().is_some_and(|number| number > 0.0) { Ok(number) } else { Err(wrong(at, "is not more than 0")) }
}

fn natural(value: &Value, at: &str) -> Read<u64> {
    value.as_u64().ok_or_else(|| wrong(at, "is no whole number from 0"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(schema: &Value) -> String {
        read(schema).err().unwrap_or_default()
    }

    #[test]
    fn what_is_no_schema_is_refused_with_its_place() {
        let cases = [
            (json!(5), "# is neither an object"),
            (json!({ "type": "strin" }), "#/type is no type"),
            (json!({ "properties": { "a": { "minLength": -1 } } }), "#/properties/a/minLength is no whole number"),
            (json!({ "required": "a" }), "#/required is no array"),
            (json!({ "allOf": [] }), "#/allOf is empty"),
            (json!({ "multipleOf": 0 }), "#/multipleOf is not more than 0"),
            (json!({ "pattern": "(?=a)" }), "#/pattern is no pattern"),
            (json!({ "pattern": "(a{1000}){1000}" }), "#/pattern is no pattern"),
            (json!({ "unevaluatedProperties": false }), "#/unevaluatedProperties is a keyword that is not supported"),
            (json!({ "$dynamicRef": "#a" }), "#/$dynamicRef is a keyword"),
            (json!({ "items": { "$id": "https://example.com/" } }), "#/items/$id is a keyword"),
            (json!({ "minimun": 1 }), "#/minimun is a keyword"),
        ];
        for (schema, expected) in cases {
            assert!(error(&schema).contains(expected), "{schema}: {}", error(&schema));
        }
    }

    #[test]
    fn what_is_elsewhere_is_not_fetched() {
        for reference in ["https://example.com/s.json", "other.json", "#anchor", "#/missing", "#/%24defs/a"] {
            let schema = json!({ "$ref": reference, "$defs": { "a": {} } });
            assert!(error(&schema).contains("nothing is fetched"), "{reference}");
        }
    }

    #[test]
    fn sizes_are_bounded() {
        let deep = (0..60).fold(json!({}), |inner, _| json!({ "not": inner }));
        assert!(error(&deep).contains("nested deeper"));
        assert!(error(&json!({ "pattern": "a".repeat(2000) })).contains("more than 1024 bytes"));
        assert!(error(&json!({ "allOf": vec![json!({}); 10_000] })).contains("more than 10000 parts"));
        let many: Vec<_> = (0..257).map(|_| json!({ "pattern": "a" })).collect();
        assert!(error(&json!({ "anyOf": many })).contains("more than 256 patterns"));
    }

    #[test]
    fn a_schema_may_refer_to_itself_and_be_annotated() {
        let tree = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/tree",
            "properties": { "inner": { "$ref": "#" } }, "title": "t", "x-own": 1, "format": "f"
        });
        assert_eq!(read(&tree).unwrap().len(), 2);
    }
}
