//! Holds a configuration to the rules of its schema.

use serde_json::{Map, Value};

use super::read::{Part, Range, Rules, Type, below};
use super::values::{compare, is_multiple, is_of, is_same, size};
use crate::manifest::form;
use crate::manifest::violation::{Found, Kind, Violation};

/// How many comparisons there may be. An ordinary configuration takes some hundred.
const BUDGET: u64 = 5_000_000;
/// How deep a check may be nested: a reference that leads to itself comes to that.
const MAX_DEPTH: usize = 200;
/// How many things that are wrong are told at once.
const MAX_FOUND: usize = 50;
/// The most items of which each is compared with each other.
const MAX_UNIQUE: usize = 10_000;

/// All that is wrong.
pub(super) fn check(rules: &[Rules], schema: &Value, config: &Value) -> Vec<Violation> {
    let mut check = Check { rules, schema, budget: BUDGET };
    let mut found = Vec::new();
    match check.part(0, config, "", 0, &mut found) {
        Ok(()) => {
            found.truncate(MAX_FOUND);
            found.into_iter().map(|found| found.violation).collect()
        }
        Err(Exhausted) => {
            vec![Violation::new(
                "",
                "takes too long to be compared with the filter's schema",
                "shorten it, or tell its author",
            )]
        }
    }
}

/// The budget is used up.
struct Exhausted;

struct Check<'a> {
    rules: &'a [Rules],
    schema: &'a Value,
    budget: u64,
}

type Step = Result<(), Exhausted>;

impl<'a> Check<'a> {
    fn part(&mut self, part: Part, value: &Value, at: &str, depth: usize, found: &mut Vec<Found>) -> Step {
        self.spend(1)?;
        if depth > MAX_DEPTH {
            return Err(Exhausted);
        }
        if found.len() > MAX_FOUND {
            return Ok(());
        }
        let rules = &self.rules[part];
        self.itself(rules, value, at, found)?;
        match value {
            Value::Array(values) => self.items(rules, values, at, depth, found)?,
            Value::Object(members) => self.members(rules, members, at, depth, found)?,
            _ => {}
        }
        self.combined(rules, value, at, depth, found)
    }

    fn spend(&mut self, cost: u64) -> Step {
        self.budget = self.budget.checked_sub(cost).ok_or(Exhausted)?;
        Ok(())
    }

    /// Whether a value meets a part, whatever is wrong otherwise.
    fn meets(&mut self, part: Part, value: &Value, at: &str, depth: usize) -> Result<bool, Exhausted> {
        let mut found = Vec::new();
        self.part(part, value, at, depth + 1, &mut found)?;
        Ok(found.is_empty())
    }

    /// What the part of the schema asks for, in words.
    fn form(&self, rules: &Rules) -> String {
        form::of(self.written(rules), self.schema)
    }

    fn written(&self, rules: &Rules) -> &'a Value {
        self.schema.pointer(&rules.pointer).unwrap_or(&Value::Null)
    }

    /// What a value is by itself.
    fn itself(&mut self, rules: &Rules, value: &Value, at: &str, found: &mut Vec<Found>) -> Step {
        if rules.never {
            found.push(Found::new(Kind::Other, at, "is not allowed here", "remove it"));
        }
        if !rules.types.is_empty() && !rules.types.iter().any(|kind| is_of(value, *kind)) {
            let wanted: Vec<_> = rules.types.iter().map(|kind| word(*kind)).collect();
            let message = format!("is {}, not {}", word_of(value), wanted.join(" or "));
            found.push(Found::new(Kind::Type, at, message, format!("write {}", self.form(rules))));
        }
        for values in &rules.values {
            self.spend(values.len() as u64)?;
            if !values.iter().any(|allowed| is_same(allowed, value)) {
                let remedy = format!("write {}", self.form(rules));
                found.push(Found::new(Kind::Value, at, "is not a value that is allowed here", remedy));
            }
        }
        match value {
            Value::Number(_) => self.number(rules, value, at, found),
            Value::String(text) => {
                self.spend(text.len() as u64 / 64)?;
                self.text(rules, text, at, found);
            }
            _ => {}
        }
        Ok(())
    }

    fn number(&self, rules: &Rules, value: &Value, at: &str, found: &mut Vec<Found>) {
        let Some(number) = value.as_number() else { return };
        let mut push = |message| {
            let remedy = format!("write {}", self.form(rules));
            found.push(Found::new(Kind::Other, at, message, remedy));
        };
        for bound in &rules.least {
            let limit = &bound.limit;
            match bound.is_excluded {
                false if compare(number, limit).is_lt() => push(format!("is less than {limit}")),
                true if compare(number, limit).is_le() => push(format!("is not more than {limit}")),
                _ => {}
            }
        }
        for bound in &rules.most {
            let limit = &bound.limit;
            match bound.is_excluded {
                false if compare(number, limit).is_gt() => push(format!("is more than {limit}")),
                true if compare(number, limit).is_ge() => push(format!("is not less than {limit}")),
                _ => {}
            }
        }
        if let Some(of) = rules.multiple_of.as_ref().filter(|of| !is_multiple(number, of)) {
            push(format!("is not a multiple of {of}"));
        }
    }

    fn text(&self, rules: &Rules, text: &str, at: &str, found: &mut Vec<Found>) {
        let mut push = |message: String| {
            found.push(Found::new(Kind::Other, at, message, format!("write {}", self.form(rules))));
        };
        match rules.length.compare(text.chars().count()) {
            Fit::Below(_) if text.is_empty() => push("is empty".to_owned()),
            Fit::Below(least) => push(format!("is shorter than {least} characters")),
            Fit::Above(most) => push(format!("is longer than {most} characters")),
            Fit::Within => {}
        }
        if rules.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            push("does not look as it should".to_owned());
        }
    }

    fn items(&mut self, rules: &Rules, values: &[Value], at: &str, depth: usize, found: &mut Vec<Found>) -> Step {
        found.extend(many(rules.count.compare(values.len()), at));
        for (index, value) in values.iter().enumerate() {
            if let Some(part) = rules.prefix.get(index).copied().or(rules.items) {
                self.part(part, value, &format!("{at}/{index}"), depth + 1, found)?;
            }
        }
        if let Some((part, range)) = &rules.contains {
            let mut count = 0;
            for value in values {
                count += usize::from(self.meets(*part, value, at, depth)?);
            }
            if !matches!(range.compare(count), Fit::Within) {
                let item = form::of(self.written(&self.rules[*part]), self.schema);
                let message = "has not as many of some items as it should";
                found.push(Found::new(Kind::Other, at, message, format!("see how often it has {item}")));
            }
        }
        if rules.is_unique && !self.is_unique(values)? {
            found.push(Found::new(Kind::Other, at, "has the same twice", "remove one of the two"));
        }
        Ok(())
    }

    fn is_unique(&mut self, values: &[Value]) -> Result<bool, Exhausted> {
        if values.len() > MAX_UNIQUE {
            return Err(Exhausted);
        }
        for (index, value) in values.iter().enumerate() {
            self.spend(index as u64 + size(value))?;
            if values[..index].iter().any(|other| is_same(other, value)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn members(
        &mut self,
        rules: &Rules,
        members: &Map<String, Value>,
        at: &str,
        depth: usize,
        found: &mut Vec<Found>,
    ) -> Step {
        found.extend(many(rules.members.compare(members.len()), at));
        for name in rules.required.iter().filter(|name| !members.contains_key(*name)) {
            found.push(self.missing(rules, name, at, "is missing"));
        }
        for (name, others) in rules.dependent.iter().filter(|(name, _)| members.contains_key(name)) {
            for other in others.iter().filter(|other| !members.contains_key(*other)) {
                found.push(self.missing(rules, other, at, &format!("is missing beside {name}")));
            }
        }
        for (name, value) in members {
            self.member(rules, name, value, at, depth, found)?;
        }
        Ok(())
    }

    fn member(
        &mut self,
        rules: &Rules,
        name: &str,
        value: &Value,
        at: &str,
        depth: usize,
        found: &mut Vec<Found>,
    ) -> Step {
        let here = below(at, name);
        if let Some(names) = rules.names
            && !self.meets(names, &Value::String(name.to_owned()), &here, depth)?
        {
            let remedy = format!("use {}", form::of(self.written(&self.rules[names]), self.schema));
            found.push(Found::new(Kind::Other, &here, "is not a key that is allowed here", remedy));
        }
        let mut is_known = false;
        if let Some(part) = rules.properties.get(name) {
            is_known = true;
            self.part(*part, value, &here, depth + 1, found)?;
        }
        for (pattern, part) in &rules.patterns {
            self.spend(1)?;
            if pattern.is_match(name) {
                is_known = true;
                self.part(*part, value, &here, depth + 1, found)?;
            }
        }
        match rules.others.filter(|_| !is_known) {
            Some(others) if self.rules[others].never => {
                let known = rules.properties.keys().map(|name| form::plain(name)).collect();
                found.push(Found::unknown(&here, known));
            }
            Some(others) => self.part(others, value, &here, depth + 1, found)?,
            None => {}
        }
        Ok(())
    }

    fn missing(&self, rules: &Rules, name: &str, at: &str, message: &str) -> Found {
        let property = self.written(rules).get("properties").and_then(|properties| properties.get(name));
        let remedy = property.map_or_else(
            || "add it".to_owned(),
            |property| {
                let form = form::of(property, self.schema);
                let description = form::description(property, self.schema);
                let description = description.map(|text| format!(" ({})", text.trim_end_matches('.')));
                format!("write {form}{}", description.unwrap_or_default())
            },
        );
        Found::new(Kind::Missing, &below(at, name), message, remedy)
    }

    fn combined(&mut self, rules: &Rules, value: &Value, at: &str, depth: usize, found: &mut Vec<Found>) -> Step {
        for part in &rules.all {
            self.part(*part, value, at, depth + 1, found)?;
        }
        for (name, part) in &rules.dependent_schemas {
            if value.get(name).is_some() {
                self.part(*part, value, at, depth + 1, found)?;
            }
        }
        if let Some((condition, then, otherwise)) = rules.condition {
            let branch = if self.meets(condition, value, at, depth)? { then } else { otherwise };
            if let Some(part) = branch {
                self.part(part, value, at, depth + 1, found)?;
            }
        }
        if let Some(part) = rules.not
            && self.meets(part, value, at, depth)?
        {
            let remedy = format!("write anything but {}", form::of(self.written(&self.rules[part]), self.schema));
            found.push(Found::new(Kind::Other, at, "is what it must not be", remedy));
        }
        self.alternatives(rules, &rules.any, false, value, at, depth, found)?;
        self.alternatives(rules, &rules.one, true, value, at, depth, found)
    }

    #[allow(clippy::too_many_arguments, reason = "as of every step, and which alternatives there are")]
    fn alternatives(
        &mut self,
        rules: &Rules,
        parts: &[Part],
        only_one: bool,
        value: &Value,
        at: &str,
        depth: usize,
        found: &mut Vec<Found>,
    ) -> Step {
        let (mut fitting, mut unfit) = (0, Vec::new());
        for part in parts {
            let mut wrong = Vec::new();
            self.part(*part, value, at, depth + 1, &mut wrong)?;
            match wrong.is_empty() {
                true => fitting += 1,
                false => unfit.push(wrong),
            }
        }
        if parts.is_empty() || fitting == 1 || fitting > 1 && !only_one {
            return Ok(());
        }
        let remedy = || format!("write {}", self.form(rules));
        match (fitting, meant(unfit, at)) {
            (0, Some(likely)) => found.extend(likely),
            (0, None) => {
                found.push(Found::new(Kind::Type, at, "has none of the forms that it may have", remedy()));
            }
            _ => found.push(Found::new(Kind::Other, at, "could be meant in more than one way", remedy())),
        }
        Ok(())
    }
}

/// What is wrong with the one alternative that is likely meant: the only one that the value is of the right kind for.
fn meant(alternatives: Vec<Vec<Found>>, at: &str) -> Option<Vec<Found>> {
    let is_other = |found: &Found| match found.kind {
        Kind::Type | Kind::Missing => found.is_about(at),
        Kind::Value => found.is_about(at),
        Kind::Other => false,
    };
    let mut likely = alternatives.into_iter().filter(|found| !found.iter().any(is_other));
    let first = likely.next()?;
    if likely.next().is_some() { None } else { Some(first) }
}

/// How a number compares with a range.
enum Fit {
    Below(u64),
    Within,
    Above(u64),
}

impl Range {
    fn compare(self, count: usize) -> Fit {
        let count = count as u64;
        match self {
            Self { least: Some(least), .. } if count < least => Fit::Below(least),
            Self { most: Some(most), .. } if count > most => Fit::Above(most),
            _ => Fit::Within,
        }
    }
}

/// What is wrong with how many there are.
fn many(fit: Fit, at: &str) -> Option<Found> {
    match fit {
        Fit::Within => None,
        Fit::Below(1) => Some(Found::new(Kind::Other, at, "is empty", "add at least one")),
        Fit::Below(least) => Some(Found::new(Kind::Other, at, format!("has fewer than {least}"), "add some")),
        Fit::Above(most) => Some(Found::new(Kind::Other, at, format!("has more than {most}"), "remove some")),
    }
}

fn word(kind: Type) -> &'static str {
    match kind {
        Type::Null => "nothing",
        Type::Boolean => "true or false",
        Type::Integer => "a whole number",
        Type::Number => "a number",
        Type::String => "text",
        Type::Array => "a list",
        Type::Object => "a table",
    }
}

fn word_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::schema::Schema;

    fn told(schema: Value, config: &Value) -> Vec<String> {
        let violations = Schema::new(schema).unwrap().violations(config);
        let line = |violation: Violation| format!("{}: {}; {}", violation.pointer, violation.message, violation.remedy);
        violations.into_iter().map(line).collect()
    }

    fn limit() -> Value {
        json!({
            "type": "object", "additionalProperties": false, "required": ["requests", "per"],
            "properties": {
                "requests": { "type": "integer", "minimum": 1, "description": "How many." },
                "per": { "type": "string", "pattern": "^[0-9]+s$", "examples": ["1s"] },
                "keys": { "type": "array", "minItems": 1, "items": { "enum": ["a", "b"] } }
            }
        })
    }

    #[test]
    fn everything_is_told_at_once_and_nothing_is_quoted() {
        let config = json!({ "requests": 0, "per": "secret", "keys": ["a", "hidden"], "bursts": 1 });
        assert_eq!(
            told(limit(), &config),
            [
                "/bursts: unknown key; ",
                "/keys/1: is not a value that is allowed here; write \"a\" or \"b\"",
                "/per: does not look as it should; write text such as \"1s\"",
                "/requests: is less than 1; write a whole number, at least 1",
            ]
        );
    }

    #[test]
    fn what_is_missing_is_described() {
        assert_eq!(
            told(limit(), &json!({ "keys": [] })),
            [
                "/requests: is missing; write a whole number, at least 1 (How many)",
                "/per: is missing; write text such as \"1s\"",
                "/keys: is empty; add at least one",
            ]
        );
    }

    #[test]
    fn of_several_forms_the_likely_one_is_meant() {
        let schema = json!({ "properties": { "by": { "oneOf": [
            { "enum": ["address"] },
            { "type": "object", "properties": { "header": { "type": "string", "minLength": 1 } }, "required": ["header"] },
            { "type": "object", "properties": { "cookie": { "type": "string" } }, "required": ["cookie"] },
        ] } } });
        let empty = told(schema.clone(), &json!({ "by": { "header": "" } }));
        assert_eq!(empty, ["/by/header: is empty; write text, at least 1"]);
        let number = told(schema, &json!({ "by": 5 }));
        assert!(number.len() == 1 && number[0].starts_with("/by: has none of the forms"), "{number:?}");
    }

    /// Each keyword with values that meet it and values that do not.
    #[test]
    fn keywords_mean_what_they_do_elsewhere() {
        let table = [
            (json!({ "type": "integer" }), json!([1, 1.0, -5]), json!([1.5, "1", true])),
            (json!({ "type": ["string", "null"] }), json!(["", null]), json!([0, [], {}])),
            (json!({ "const": { "a": [1] } }), json!([{ "a": [1.0] }]), json!([{ "a": [1], "b": 2 }, 1])),
            (json!({ "minimum": 2, "maximum": 3 }), json!([2, 2.5, 3, "x"]), json!([1.9, 4])),
            (json!({ "exclusiveMinimum": 2, "exclusiveMaximum": 3 }), json!([2.5]), json!([2, 3])),
            (json!({ "minimum": 9007199254740993i64 }), json!([9007199254740993i64]), json!([9007199254740992i64])),
            (json!({ "multipleOf": 3 }), json!([0, 6, -9]), json!([1, 6.5])),
            (json!({ "multipleOf": 0.1 }), json!([0.3, 1, 7.7]), json!([0.35])),
            (json!({ "minLength": 1, "maxLength": 2 }), json!(["é", "äö", 5]), json!(["", "abc"])),
            (json!({ "pattern": "b" }), json!(["abc", 1]), json!(["ac"])),
            (
                json!({ "prefixItems": [{ "type": "string" }], "items": false }),
                json!([[], ["a"]]),
                json!([[1], ["a", 1]]),
            ),
            (json!({ "contains": { "const": 1 } }), json!([[1], [0, 1]]), json!([[], [0]])),
            (json!({ "contains": { "const": 1 }, "maxContains": 1 }), json!([[1]]), json!([[1, 1]])),
            (json!({ "uniqueItems": true }), json!([[1, "1", true]]), json!([[1, 1.0], [{ "a": 1 }, { "a": 1 }]])),
            (json!({ "minItems": 1, "maxItems": 2 }), json!([[1]]), json!([[], [1, 2, 3]])),
            (json!({ "minProperties": 1, "maxProperties": 1 }), json!([{ "a": 1 }]), json!([{}, { "a": 1, "b": 1 }])),
            (
                json!({ "patternProperties": { "^x-": { "type": "string" } }, "additionalProperties": { "type": "integer" } }),
                json!([{ "x-a": "b", "c": 1 }]),
                json!([{ "x-a": 1 }, { "c": "d" }]),
            ),
            (json!({ "propertyNames": { "maxLength": 1 } }), json!([{ "a": 1 }]), json!([{ "ab": 1 }])),
            (json!({ "dependentRequired": { "a": ["b"] } }), json!([{}, { "a": 1, "b": 1 }]), json!([{ "a": 1 }])),
            (json!({ "dependentSchemas": { "a": { "required": ["b"] } } }), json!([{}]), json!([{ "a": 1 }])),
            (json!({ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }), json!([1, 2]), json!([0, 3])),
            (json!({ "anyOf": [{ "minimum": 5 }, { "maximum": 2 }] }), json!([1, 6]), json!([3])),
            (json!({ "oneOf": [{ "minimum": 1 }, { "maximum": 2 }] }), json!([0, 3]), json!([1.5])),
            (json!({ "not": { "type": "string" } }), json!([1]), json!(["a"])),
            (
                json!({ "if": { "required": ["a"] }, "then": { "required": ["b"] }, "else": { "required": ["c"] } }),
                json!([{ "a": 1, "b": 1 }, { "c": 1 }]),
                json!([{ "a": 1 }, {}]),
            ),
            (json!(true), json!([1]), json!([])),
            (json!(false), json!([]), json!([1, {}])),
        ];
        for (schema, good, bad) in table {
            let schema = Schema::new(schema).unwrap();
            let fits = |value: &&Value| schema.violations(value).is_empty();
            let unfit: Vec<_> = good.as_array().unwrap().iter().filter(|value| !fits(value)).collect();
            let fit: Vec<_> = bad.as_array().unwrap().iter().filter(fits).collect();
            assert!(unfit.is_empty() && fit.is_empty(), "{schema:?}: should fit: {unfit:?}, should not: {fit:?}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_followed_as_deep_as_the_configuration_goes() {
        let tree = json!({ "properties": { "not": { "$ref": "#" } }, "additionalProperties": false });
        assert_eq!(told(tree.clone(), &json!({ "not": { "not": {} } })).len(), 0);
        assert_eq!(told(tree, &json!({ "not": { "nut": {} } })), ["/not/nut: unknown key; "]);
    }

    #[test]
    fn keywords_that_say_the_same_count_both() {
        let both = json!({ "const": 1, "enum": [2, 3] });
        assert_eq!([1, 2].map(|value| told(both.clone(), &json!(value)).len()), [1, 1]);
        let bounds = json!({ "minimum": 5, "exclusiveMinimum": 1, "maximum": 7, "exclusiveMaximum": 9 });
        assert_eq!([3, 6, 8].map(|value| told(bounds.clone(), &json!(value)).len()), [1, 0, 1]);
    }

    #[test]
    fn what_would_take_for_ever_ends() {
        let endless = json!({ "$ref": "#" });
        assert!(told(endless, &json!({}))[0].contains("takes too long"));
        let tripled = |n: usize| {
            let reference = json!({ "$ref": format!("#/$defs/{}", n + 1) });
            (n.to_string(), json!({ "allOf": [reference, reference, reference] }))
        };
        let mut parts: Map<String, Value> = (0..18).map(tripled).collect();
        parts.insert("18".into(), json!({}));
        assert!(told(json!({ "$ref": "#/$defs/0", "$defs": parts }), &json!({}))[0].contains("takes too long"));
        let unique = json!({ "uniqueItems": true });
        assert!(told(unique, &json!((0..20_000).collect::<Vec<_>>()))[0].contains("takes too long"));
        let pattern = json!({ "pattern": "^(a+)+$" });
        assert_eq!(told(pattern, &json!(format!("{}b", "a".repeat(100_000)))).len(), 1);
    }
}
