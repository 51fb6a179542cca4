//! `#[derive(Schema)]`: what serde makes of a type, in the words of JSON Schema.

mod attributes;
mod names;

use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DeriveInput, Error, Field, Fields, Result, Type, Variant, parse_quote};

use self::attributes::{Container, Of};
use self::names::Case;

pub(crate) fn expand(input: &DeriveInput) -> Result<Tokens> {
    let container = Container::read(&input.attrs)?;
    let mut object = match (container.of.taken_for(), &input.data) {
        (Some(other), _) => Object::of(&other),
        (None, Data::Struct(data)) => shape(&data.fields, &container, container.case)?,
        (None, Data::Enum(data)) => choice(data, &container)?,
        (None, Data::Union(_)) => return Err(Error::new_spanned(&input.ident, "a union has no schema")),
    };
    object.describe(&container.of);
    let name = &input.ident;
    let mut generics = input.generics.clone();
    for parameter in input.generics.type_params() {
        let parameter = &parameter.ident;
        generics.make_where_clause().predicates.push(parse_quote!(#parameter: ::tollgate_filter::Schema));
    }
    let (implemented, types, conditions) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #implemented ::tollgate_filter::Schema for #name #types #conditions {
            const SCHEMA: &'static ::tollgate_filter::manifest::Object = &#object;
        }
    })
}

/// An object of JSON as the code that makes it.
#[derive(Default)]
struct Object {
    base: Option<Tokens>,
    own: Vec<(String, Tokens)>,
}

impl Object {
    fn of(ty: &Type) -> Self {
        Self { base: Some(quote!(<#ty as ::tollgate_filter::Schema>::SCHEMA)), own: Vec::new() }
    }

    fn with(mut self, name: &str, value: Tokens) -> Self {
        self.own.push((name.to_owned(), value));
        self
    }

    fn describe(&mut self, of: &Of) {
        if let Some(text) = &of.description {
            self.own.push(("description".to_owned(), text_value(text)));
        }
        for (keyword, value) in &of.keywords {
            self.own.push((keyword.clone(), quote!(::tollgate_filter::manifest::Json::Raw(#value))));
        }
    }
}

impl quote::ToTokens for Object {
    fn to_tokens(&self, tokens: &mut Tokens) {
        let base = self.base.as_ref().map_or_else(|| quote!(None), |base| quote!(Some(#base)));
        let (names, values): (Vec<_>, Vec<_>) = self.own.iter().map(|(name, value)| (name, value)).unzip();
        tokens.extend(quote! {
            ::tollgate_filter::manifest::Object { base: #base, own: &[#((#names, #values)),*] }
        });
    }
}

fn value(object: &Object) -> Tokens {
    quote!(::tollgate_filter::manifest::Json::Object(&#object))
}

fn text_value(text: &str) -> Tokens {
    quote!(::tollgate_filter::manifest::Json::Text(#text))
}

fn list(values: &[Tokens]) -> Tokens {
    quote!(::tollgate_filter::manifest::Json::List(&[#(#values),*]))
}

fn texts(texts: &[String]) -> Tokens {
    list(&texts.iter().map(|text| text_value(text)).collect::<Vec<_>>())
}

fn no_more() -> Tokens {
    quote!(::tollgate_filter::manifest::Json::Raw("false"))
}

/// The fields of a struct or of a variant.
fn shape(fields: &Fields, container: &Container, case: Option<Case>) -> Result<Object> {
    match fields {
        Fields::Named(fields) => table(fields.named.iter(), container, case, None),
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            Ok(field(&fields.unnamed[0])?.map_or_else(Object::default, |(object, _)| object))
        }
        Fields::Unnamed(fields) => {
            let mut items = Vec::new();
            for unnamed in &fields.unnamed {
                if let Some((object, _)) = field(unnamed)? {
                    items.push(value(&object));
                }
            }
            let length = items.len().to_string();
            Ok(Object::default()
                .with("type", text_value("array"))
                .with("prefixItems", list(&items))
                .with("items", no_more())
                .with("minItems", quote!(::tollgate_filter::manifest::Json::Raw(#length))))
        }
        Fields::Unit => Ok(Object::default().with("type", text_value("null"))),
    }
}

/// Named fields; with the name of a tag and what it says.
fn table<'a>(
    fields: impl Iterator<Item = &'a Field>,
    container: &Container,
    case: Option<Case>,
    tag: Option<(&str, &str)>,
) -> Result<Object> {
    let (mut properties, mut required) = (Object::default(), Vec::new());
    if let Some((tag, variant)) = tag {
        let constant = Object::default().with("const", text_value(variant));
        properties = properties.with(tag, value(&constant));
        required.push(tag.to_owned());
    }
    for named in fields {
        let Some((object, of)) = field(named)? else { continue };
        let written = named.ident.as_ref().map(|ident| ident.to_string().trim_start_matches("r#").to_owned());
        let written = written.unwrap_or_default();
        let name = of.renamed.clone().unwrap_or_else(|| case.map_or(written.clone(), |case| case.of_field(&written)));
        let schema = value(&object);
        for alias in &of.aliases {
            properties = properties.with(alias, schema.clone());
        }
        // With an alias any of the names will do, and serde says so where there is none.
        if of.aliases.is_empty() && !of.is_optional && !container.of.is_optional && !is_option(&named.ty) {
            required.push(name.clone());
        }
        properties = properties.with(&name, schema);
    }
    let mut table = Object::default().with("type", text_value("object")).with("properties", value(&properties));
    if !required.is_empty() {
        table = table.with("required", texts(&required));
    }
    if container.denies_unknown {
        table = table.with("additionalProperties", no_more());
    }
    Ok(table)
}

/// A field, unless serde leaves it out.
fn field(field: &Field) -> Result<Option<(Object, Of)>> {
    let of = Of::read(&field.attrs)?;
    if of.is_skipped {
        return Ok(None);
    }
    if of.is_by_hand && of.taken_for().is_none() {
        let message =
            "serde reads this in a way that only its author knows; say as what, as in #[schema(as = \"String\")]";
        return Err(Error::new(field.span(), message));
    }
    let mut object = Object::of(&of.taken_for().unwrap_or_else(|| field.ty.clone()));
    object.describe(&of);
    Ok(Some((object, of)))
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

/// An enum.
fn choice(data: &DataEnum, container: &Container) -> Result<Object> {
    let (mut units, mut others) = (Vec::new(), Vec::new());
    for variant in &data.variants {
        let of = Of::read(&variant.attrs)?;
        if of.is_skipped {
            continue;
        }
        let written = variant.ident.to_string();
        let name = of.renamed.clone();
        let name = name.unwrap_or_else(|| container.case.map_or(written.clone(), |case| case.of_variant(&written)));
        if matches!(variant.fields, Fields::Unit) && container.tag.is_none() && !container.is_untagged {
            units.extend(of.aliases.iter().cloned().chain([name]));
            continue;
        }
        let mut object = form(variant, &name, container, of.case.or(container.field_case))?;
        object.describe(&of);
        others.push(value(&object));
    }
    if others.is_empty() {
        return Ok(Object::default().with("type", text_value("string")).with("enum", texts(&units)));
    }
    if !units.is_empty() {
        others.insert(0, value(&Object::default().with("enum", texts(&units))));
    }
    let keyword = if container.is_untagged { "anyOf" } else { "oneOf" };
    Ok(Object::default().with(keyword, list(&others)))
}

/// A variant that is more than a name.
fn form(variant: &Variant, name: &str, container: &Container, case: Option<Case>) -> Result<Object> {
    match (&container.tag, &variant.fields) {
        _ if container.is_untagged => shape(&variant.fields, container, case),
        (Some(tag), Fields::Unit) => table([].iter(), container, case, Some((tag, name))),
        (Some(tag), Fields::Named(fields)) => table(fields.named.iter(), container, case, Some((tag, name))),
        (Some(_), Fields::Unnamed(_)) => {
            Err(Error::new(variant.span(), "a schema of a variant with a tag needs its fields by name: write { … }"))
        }
        (None, fields) => {
            let content = shape(fields, container, case)?;
            let properties = Object::default().with(name, value(&content));
            Ok(Object::default()
                .with("type", text_value("object"))
                .with("properties", value(&properties))
                .with("required", texts(&[name.to_owned()]))
                .with("additionalProperties", no_more()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(input: Tokens) -> String {
        let input = syn::parse2(input).unwrap();
        expand(&input).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_cannot_be_described_is_refused() {
        assert!(error(quote! { struct A { #[serde(flatten)] a: B } }).contains("flatten"));
        assert!(error(quote! { struct A { #[serde(with = "b")] a: B } }).contains("as = \"String\""));
        assert!(error(quote! { #[serde(tag = "t", content = "c")] enum A { B } }).contains("content"));
        assert!(error(quote! { #[serde(tag = "t")] enum A { B(u8) } }).contains("by name"));
        assert!(error(quote! { #[schema(smallest = 1)] struct A(u8); }).contains("`smallest` is not known"));
        assert!(error(quote! { #[schema(minimum = one())] struct A(u8); }).contains("a literal"));
        assert!(error(quote! { #[serde(rename_all = "weird")] struct A { b: u8 } }).contains("weird"));
        assert!(error(quote! { union A { b: u8 } }).contains("union"));
    }
}
