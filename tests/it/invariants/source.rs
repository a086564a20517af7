//! Rust source as far as the invariants need it: words without comments and literals, and the paths that they form.

use std::path::{Path, PathBuf};

/// A file of `src`, without its unit tests.
pub(super) struct Source {
    path: String,
    /// The modules that lead to it: `["cluster", "wait"]`.
    modules: Vec<String>,
    tokens: Vec<Token>,
}

/// A path that a file names, resolved as far as `crate`, `self` and `super` go.
#[derive(Debug, PartialEq)]
pub(super) struct Mention {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
}

#[derive(Debug, PartialEq)]
struct Token {
    line: usize,
    text: String,
}

impl Source {
    /// Every file of `src` that ships.
    pub(super) fn all() -> Vec<Self> {
        let is_source = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "rs");
        let is_test = |path: &PathBuf| {
            path.components().any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name))
        };
        let mut sources: Vec<Self> = files(&["src"])
            .into_iter()
            .filter(|path| is_source(path) && !is_test(path))
            .map(|path| Self::new(&path, &read(&path)))
            .collect();
        sources.sort_by(|one, other| one.path.cmp(&other.path));
        sources
    }

    fn new(path: &Path, text: &str) -> Self {
        let mut modules: Vec<String> =
            path.with_extension("").iter().skip(1).map(|part| part.to_string_lossy().into_owned()).collect();
        modules.pop_if(|last| last == "mod");
        let shipped = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        Self { path: path.display().to_string(), modules, tokens: tokens(shipped) }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The first module: `cluster`.
    pub(super) fn room(&self) -> &str {
        &self.modules[0]
    }

    /// Whether the file is that module or lies below it.
    pub(super) fn is_in(&self, room: &str) -> bool {
        begins_with(&self.modules, room)
    }

    /// Every word, with its line.
    pub(super) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.tokens.iter().map(|token| (token.line, token.text.as_str()))
    }

    /// Every path of two words or more, and every `use`; groups in braces taken apart.
    pub(super) fn mentions(&self) -> Vec<Mention> {
        let mut mentions = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let is_use = at > 0 && self.tokens[at - 1].text == "use";
            let found = self.path_at(&mut at, &[]);
            mentions.extend(found.into_iter().filter(|mention| is_use || mention.path.len() > 1));
            at += 1;
        }
        mentions
    }

    /// The paths that begin at a token; `at` is left on the last token of the last path.
    fn path_at(&self, at: &mut usize, prefix: &[String]) -> Vec<Mention> {
        let text = |at: usize| self.tokens.get(at).map_or("", |token| token.text.as_str());
        let mut path = prefix.to_vec();
        if text(*at) == "{" && !prefix.is_empty() {
            let mut mentions = Vec::new();
            *at += 1;
            while !["}", ""].contains(&text(*at)) {
                mentions.extend(self.path_at(at, prefix));
                *at += 1;
            }
            return mentions;
        }
        if !is_word(text(*at)) {
            return Vec::new();
        }
        let line = self.tokens[*at].line;
        path.push(text(*at).to_owned());
        while text(*at + 1) == "::" {
            if text(*at + 2) == "{" {
                *at += 2;
                return self.path_at(at, &path);
            }
            if !is_word(text(*at + 2)) {
                break;
            }
            *at += 2;
            path.push(text(*at).to_owned());
        }
        vec![Mention { line, path: self.resolved(path) }]
    }

    /// The same path from the root of the crate.
    fn resolved(&self, path: Vec<String>) -> Vec<String> {
        let ups = path.iter().take_while(|word| *word == "super").count();
        if ups == 0 && path[0] != "self" {
            return path;
        }
        let from = &self.modules[..self.modules.len().saturating_sub(ups)];
        let rest = path[ups.max(1)..].iter();
        std::iter::once(&"crate".to_owned()).chain(from).chain(rest).cloned().collect()
    }
}

impl Mention {
    /// Whether it is that path or goes on from there.
    pub(super) fn begins_with(&self, path: &str) -> bool {
        begins_with(&self.path, path)
    }
}

/// Every file below these folders of the project, relative to it.
pub(super) fn files(folders: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).expect("the folder is part of the project") {
            let entry = entry.expect("the folder can be read to its end");
            let path = folder.join(entry.file_name());
            if root().join(&path).is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// The text of one of them.
pub(super) fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).expect("the file was found a moment ago")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn begins_with(path: &[String], beginning: &str) -> bool {
    let mut words = path.iter();
    beginning.split("::").all(|wanted| words.next().is_some_and(|word| word == wanted))
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Words, `::` and single signs; comments, strings, characters and lifetimes are left out.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => string_length(rest),
            '\'' => quote_length(rest),
            _ if raw_string_length(rest).is_some() => raw_string_length(rest).unwrap_or_default(),
            _ if first.is_whitespace() => first.len_utf8(),
            _ => {
                let word = rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_').unwrap_or(rest.len());
                let sign = if rest.starts_with("::") { 2 } else { first.len_utf8() };
                let length = if word > 0 { word } else { sign };
                tokens.push(Token { line, text: rest[..length].to_owned() });
                length
            }
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, sign) in rest.char_indices().skip(1) {
        match sign {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

fn raw_string_length(rest: &str) -> Option<usize> {
    let hashes = rest.strip_prefix('r')?.chars().take_while(|sign| *sign == '#').count();
    let body = rest[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(2 + hashes + body.find(&end)? + end.len())
}

/// A character with its quotes, or the quote of a lifetime alone.
fn quote_length(rest: &str) -> usize {
    let mut signs = rest.char_indices().skip(1);
    match (signs.next(), signs.next()) {
        (Some((_, '\\')), Some((escaped, _))) => rest[escaped + 1..].find('\'').map_or(1, |end| escaped + end + 2),
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}

#[test]
fn paths_are_found_wherever_they_are_named() {
    let text = r##"
        //! [`crate::comment::one`] /* and */
        use kube::{Api, api::{ListParams, Patch}, core};
        use super::super::error::Failure;
        use duct;
        fn f<'a>(text: &'a str) -> std::fs::File { g("crate::text", r#"crate::"raw"#, '"', '\'', b::<T>::c()) }
        #[cfg(test)]
        mod tests { use crate::never; }
    "##
    .replace("        ", "");
    let source = Source::new(Path::new("src/cluster/verdict/mod.rs"), &text);
    let paths: Vec<String> =
        source.mentions().iter().map(|mention| format!("{} {}", mention.line, mention.path.join("::"))).collect();
    assert_eq!(
        paths,
        [
            "3 kube::Api",
            "3 kube::api::ListParams",
            "3 kube::api::Patch",
            "3 kube::core",
            "4 crate::error::Failure",
            "5 duct",
            "6 std::fs::File",
        ]
    );
}
