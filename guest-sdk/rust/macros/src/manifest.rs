//! What `#[filter(…)]` is told, and the manifest that it makes of that.

use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitStr, Result, Token, parenthesized};

/// What a filter may need, as the keys of `grants`, and whether it is something with a name.
const GRANTS: [(&str, bool); 8] = [
    ("body", false),
    ("callouts", true),
    ("clock", false),
    ("random", false),
    ("read", true),
    ("secrets", true),
    ("store", true),
    ("write", true),
];

/// The arguments of `#[filter]`.
#[derive(Default)]
pub(crate) struct Arguments {
    documentation: Option<LitStr>,
    schema: Option<LitStr>,
    cases: Option<LitStr>,
    needs: Vec<Need>,
    is_pure: bool,
}

struct Need {
    grant: Ident,
    name: Option<LitStr>,
    why: LitStr,
    is_optional: bool,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            match key.to_string().as_str() {
                "documentation" => arguments.documentation = Some(file(input)?),
                "schema" => arguments.schema = Some(file(input)?),
                "cases" => arguments.cases = Some(file(input)?),
                "pure" => arguments.is_pure = true,
                "needs" => arguments.needs.extend(needs(input, false)?),
                "uses" => arguments.needs.extend(needs(input, true)?),
                _ => {
                    let message = "write documentation, schema or cases = \"FILE\", needs(…), uses(…) or pure";
                    return Err(Error::new(key.span(), message));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

fn file(input: ParseStream<'_>) -> Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn needs(input: ParseStream<'_>, is_optional: bool) -> Result<Vec<Need>> {
    let content;
    parenthesized!(content in input);
    let needs = content.parse_terminated(need, Token![,])?;
    Ok(needs.into_iter().map(|need| Need { is_optional, ..need }).collect())
}

/// `clock("why")`, or `secrets("NAME", "why")`; without a name it is one that the configuration says.
fn need(input: ParseStream<'_>) -> Result<Need> {
    let grant: Ident = input.parse()?;
    let content;
    parenthesized!(content in input);
    let texts: Vec<LitStr> = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?.into_iter().collect();
    let known = GRANTS.iter().find(|(known, _)| grant == known);
    let need = |grant, name, why: &LitStr| Need { grant, name, why: why.clone(), is_optional: false };
    match (known, &texts[..]) {
        (Some(_), [why]) => Ok(need(grant, None, why)),
        (Some((_, true)), [name, why]) => Ok(need(grant, Some(name.clone()), why)),
        (Some((_, false)), _) => Err(Error::new(grant.span(), format!("write {grant}(\"WHY\")"))),
        (Some(_), _) => Err(Error::new(grant.span(), format!("write {grant}(\"NAME\", \"WHY\") or {grant}(\"WHY\")"))),
        (None, _) => {
            let known: Vec<_> = GRANTS.iter().map(|(known, _)| *known).collect();
            Err(Error::new(grant.span(), format!("`{grant}` is no grant; write one of {}", known.join(", "))))
        }
    }
}

impl Arguments {
    /// The object of JSON that describes the filter.
    pub(crate) fn manifest(&self, filter: &Ident, hooks: &[Tokens]) -> Tokens {
        let schema = match &self.schema {
            Some(file) => {
                let text = contents(file, &quote!(include_str));
                quote!(Json::Raw(#text))
            }
            None => quote!(Of::<#filter>::SCHEMA),
        };
        let documentation = self.documentation.as_ref().map(|file| contents(file, &quote!(include_str)));
        let documentation = documentation.map_or_else(|| quote!(Json::Nothing), |text| quote!(Json::Text(#text)));
        let needs = self.needs.iter().map(Need::json);
        let pure = if self.is_pure { quote!(Json::Raw("true")) } else { quote!(Json::Nothing) };
        quote!({
            use ::tollgate_filter::manifest::{Json, Object, Of, Unknown as _};
            &Object {
                base: None,
                own: &[
                    ("format", Json::Raw("1")),
                    ("name", Json::text(option_env!("CARGO_PKG_NAME"))),
                    ("version", Json::text(option_env!("CARGO_PKG_VERSION"))),
                    ("description", Json::text(option_env!("CARGO_PKG_DESCRIPTION"))),
                    ("hooks", Json::List(&[#(Json::Text(#hooks.name())),*])),
                    ("pure", #pure),
                    ("needs", Json::List(&[#(#needs),*])),
                    ("schema", #schema),
                    ("documentation", #documentation),
                ],
            }
        })
    }

    /// The sections of the module.
    pub(crate) fn sections(&self, filter: &Ident) -> Tokens {
        let cases = self.cases.as_ref().map(|file| {
            let bytes = contents(file, &quote!(include_bytes));
            quote! {
                #[used]
                #[unsafe(link_section = "tollgate:cases")]
                static CASES: [u8; #bytes.len()] = *#bytes;
            }
        });
        quote! {
            #[cfg(target_arch = "wasm32")]
            #[allow(unsafe_code, long_running_const_eval, reason = "sections of the module are made by their names")]
            const _: () = {
                const LENGTH: usize = <#filter as ::tollgate_filter::Filter>::MANIFEST.length();

                #[used]
                #[unsafe(link_section = "tollgate:manifest")]
                static MANIFEST: [u8; LENGTH] = <#filter as ::tollgate_filter::Filter>::MANIFEST.text();
                #cases
            };
        }
    }
}

/// A file that is named relative to the project.
fn contents(file: &LitStr, by: &Tokens) -> Tokens {
    quote!(#by!(concat!(env!("CARGO_MANIFEST_DIR"), "/", #file)))
}

impl Need {
    fn json(&self) -> Tokens {
        let Self { grant, name, why, is_optional } = self;
        let grant = grant.to_string();
        let name = name.as_ref().map(|name| quote!(("name", Json::Text(#name)),));
        let optional = is_optional.then(|| quote!(("optional", Json::Raw("true")),));
        quote! {
            Json::Object(&Object { base: None, own: &[("grant", Json::Text(#grant)), #name ("why", Json::Text(#why)), #optional] })
        }
    }
}
