//! Says who a request is made for, or tells who it is made for: `{ "do": "set" }`, `"tell"`, or `"add"` without a subject.

use tollgate_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    #[serde(rename = "do")]
    deed: Deed,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    /// The field `x-login` is who it is, `x-class` the class of the request.
    Set,
    /// What is known goes into the field `x-known`; of the response, too.
    Tell,
    /// A scope of nobody.
    Add,
    /// The fields that the upstream is told by.
    Forge,
}

#[filter]
impl Filter for Login {
    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        match self.deed {
            Deed::Set => set(request),
            Deed::Add => request.add("@scopes", "admin"),
            Deed::Forge => request.set("x-user", "forged"),
            Deed::Tell => {
                let known = known(request);
                request.set("x-known", known);
            }
        }
        Ok(Next::Forward)
    }

    fn on_response(&self, response: &mut Response<'_>) -> Outcome {
        if self.deed == Deed::Tell {
            let known = known(response);
            response.set("x-known", known);
        }
        Ok(Next::Forward)
    }
}

fn set(request: &mut Request<'_>) {
    if let Some(login) = request.field("x-login") {
        let identity = Identity::new(login.to_text()).issuer("https://login.example").scope("read").scope("write");
        request.set_identity(&identity.group("staff").group("R&D, Berlin").claim("eMail", "a@b.example"));
    }
    if let Some(class) = request.field("x-class") {
        request.set_class(&class.to_text());
    }
}

fn known(head: &tollgate_filter::Head<'_, ()>) -> String {
    let Some(identity) = head.identity() else { return format!("nobody, class {:?}", head.field("@class").is_some()) };
    let email = head.claim("eMail").map(|claim| claim.to_text().into_owned());
    let consumer = head.consumer().map(|name| name.to_text().into_owned());
    format!(
        "{} of {} called {}: {} | {} | {}",
        identity.subject(),
        identity.issued_by().unwrap_or_default(),
        consumer.unwrap_or_default(),
        identity.scopes().join("+"),
        identity.groups().join("+"),
        email.unwrap_or_default()
    )
}
