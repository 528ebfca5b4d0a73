//! Idempotency: while a request that carries a key may hold a reservation, another one with
//! the same key is refused, so that both together do not reserve twice.

use serde::{Deserialize, Serialize};

/// An execution's claim to the idempotency key of its request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// `<tenant>/<idempotency key>`; the tenant is empty for a request without one. A tenant's name
    /// is never empty and has no slash, so the same key of two tenants is two claims.
    pub key: String,
    /// The name of the execution that holds the key.
    pub owner: String,
    /// When the key is free again even if nobody gives it back, in epoch seconds.
    pub until: i64,
}

impl Claim {
    /// The claim of an execution to a key of its tenant's.
    #[must_use]
    pub fn new(tenant: Option<&str>, idempotency_key: &str, owner: &str, until: i64) -> Self {
        let key = format!("{}/{idempotency_key}", tenant.unwrap_or_default());
        Self { key, owner: owner.to_owned(), until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_key_of_two_tenants_is_two_claims() {
        let key = |tenant, key| Claim::new(tenant, key, "execution", 0).key;
        assert_eq!(key(Some("acme"), "a/b"), "acme/a/b");
        // A tenant may be named by any letters, digits and `.`, `_`, `-`; a key may have slashes.
        let all = [(None, "k"), (Some("-"), "k"), (None, "-/k"), (Some("k"), "k"), (Some("-"), "-/k")];
        let claims: std::collections::BTreeSet<_> =
            all.iter().map(|(tenant, text)| key(*tenant, text)).collect();
        assert_eq!(claims.len(), all.len());
    }

    #[test]
    fn a_claim_travels_as_json() {
        let claim = Claim::new(Some("acme"), "k-1", "execution", 7);
        let text = json!({"key": "acme/k-1", "owner": "execution", "until": 7});
        assert_eq!(serde_json::to_value(&claim).unwrap(), text);
        assert_eq!(serde_json::from_value::<Claim>(text).unwrap(), claim);
        assert!(
            serde_json::from_value::<Claim>(json!({"key": "k", "owner": "o", "until": 7, "x": 1})).is_err()
        );
    }
}
