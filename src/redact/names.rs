//! Which names of fields, variables and options say that their value is a secret.

/// Parts of a name, wherever in it.
const PARTS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "fernet",
    "private",
    "credential",
    "conn",
    "dsn",
    "key-data",
];
/// Whole words of a name: `dbPass`, `SHOP_PASS`, `sig=` of a signed address.
const WORDS: [&str; 4] = ["pass", "sas", "sig", "signature"];
/// Whole names.
const NAMES: [&str; 5] = ["auth", "cookie", "set-cookie", "dockerconfigjson", ".dockerconfigjson"];
/// What a `key` is one of, where it is a secret: `account_key`, `tls.key`, `sshKey`. Others name a field, as a toleration's.
const KEYS: [&str; 12] = [
    "access",
    "account",
    "auth",
    "encryption",
    "jwt",
    "license",
    "master",
    "session",
    "shared",
    "signing",
    "ssh",
    "tls",
];
/// Words that end in `pass` and are none: `dbpass` and `PGPASS` are.
const NO_PASSWORDS: [&str; 7] = ["bypass", "compass", "encompass", "overpass", "surpass", "trespass", "underpass"];
/// Ends of names with such a part that hold none: they name an object, or are a switch.
const HARMLESS: [&str; 12] = [
    "conn_id",
    "connid",
    "connections",
    "credentialssecret",
    "existingsecret",
    "expirationseconds",
    "pullsecrets",
    "secretkeyref",
    "secretname",
    "secretref",
    "secrets",
    "serviceaccounttoken",
];

/// Whether a field of this name holds a secret.
#[must_use]
pub fn is_telling(name: &str) -> bool {
    let lower = name.to_lowercase();
    if HARMLESS.iter().any(|end| lower.ends_with(end)) {
        return false;
    }
    if PARTS.iter().any(|part| lower.contains(part)) || NAMES.contains(&lower.as_str()) {
        return true;
    }
    let words = words(name);
    let is_password = |word: &String| {
        WORDS.contains(&word.as_str()) || word.ends_with("pass") && !NO_PASSWORDS.contains(&word.as_str())
    };
    // `PWD` alone is the folder that a process works in.
    let is_pwd = words.len() > 1 && words.iter().any(|word| word == "pwd");
    let is_key = words.windows(2).any(|pair| pair[1] == "key" && KEYS.contains(&pair[0].as_str()));
    let is_key_in_one = KEYS.iter().any(|what| lower.ends_with(&format!("{what}key")));
    is_pwd || is_key || is_key_in_one || words.iter().any(is_password)
}

/// The words of `dbPass`, `DB_PASS`, `db-pass` and `DBPass`, in lower case.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (position, letter) in letters.iter().enumerate() {
        let before = position.checked_sub(1).map(|before| letters[before]);
        let next_is_small = letters.get(position + 1).is_some_and(|next| next.is_lowercase());
        let begins = letter.is_uppercase()
            && before.is_some_and(|before| before.is_lowercase() || before.is_uppercase() && next_is_small);
        if begins || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_that_look_alike() {
        for name in [
            "pass",
            "SHOP_PASS",
            "dbPass",
            "DBPass",
            "data.metadataConnection.pass",
            "dbpass",
            "PGPASSWORD",
            "MYSQL_PWD",
            "adminPassphrase",
            "AccountKey",
            "SharedAccessKey",
            "aws_secret_access_key",
            "tls.key",
            "gitSync.sshKey",
            "sig",
            "X-Amz-Signature",
            "AIRFLOW_CONN_SHOP",
            "auth",
        ] {
            assert!(is_telling(name), "{name}");
        }
        for name in [
            "passed",
            "bypass",
            "compass",
            "NO_BYPASS",
            "passengers",
            "PWD",
            "key",
            "configMapKeyRef",
            "secretName",
            "author",
            "design",
            "automountServiceAccountToken",
        ] {
            assert!(!is_telling(name), "{name}");
        }
    }
}
