//! Where a secret comes from: the environment, a file, or a prompt; never an argument.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::Trouble;
use super::output::Output;
use crate::model::Secret;

const VARIABLE: &str = "ROPEWAY_CODE";

/// The secret that was given, if any: the file that was named for this run, then the environment.
pub fn given(code_file: Option<&Path>) -> Result<Option<Zeroizing<String>>, Trouble> {
    if let Some(path) = code_file {
        return read(path).map(Some);
    }
    if let Some(value) = std::env::var_os(VARIABLE) {
        let text = value.into_string().map_err(|_not_unicode| {
            Trouble::usage("secret", format!("{VARIABLE} is not valid Unicode."))
        })?;
        return Ok(Some(Zeroizing::new(text)));
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Zeroizing<String>, Trouble> {
    let limit = Secret::MAX_BYTES as u64 + 2;
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(limit).read_to_string(&mut text))
        .map_err(|error| {
            let path = path.display();
            Trouble::usage(
                "secret",
                format!("The code file {path} cannot be read: {error}."),
            )
        })?;
    let stripped = text.strip_suffix('\n').unwrap_or(&text);
    let stripped = stripped.strip_suffix('\r').unwrap_or(stripped);
    if stripped.contains('\n') {
        let path = path.display();
        return Err(Trouble::usage(
            "secret",
            format!("The code file {path} has more than one line."),
        ));
    }
    Ok(Zeroizing::new(stripped.to_owned()))
}

/// For `send`: what was given, if anything.
pub fn to_prove(code_file: Option<&Path>, output: &Output) -> Result<Option<Secret>, Trouble> {
    let Some(text) = given(code_file)? else {
        return Ok(None);
    };
    output.secret_is_from(
        code_file.map_or_else(|| VARIABLE.to_owned(), |path| path.display().to_string()),
    );
    understood(&text).map(Some)
}

/// A person is there to type and to read.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// What the person types; `None` for an empty line, where that means something.
pub fn typed(prompt: &str, may_be_empty: bool) -> Result<Option<Secret>, Trouble> {
    let _echo = EchoSaved::now();
    let typed = rpassword::prompt_password(prompt).map_err(|error| {
        Trouble::usage("secret", format!("The code could not be read: {error}."))
    })?;
    let typed = Zeroizing::new(typed);
    if may_be_empty && typed.trim().is_empty() {
        return Ok(None);
    }
    understood(&typed).map(Some)
}

fn understood(text: &str) -> Result<Secret, Trouble> {
    Secret::new(text).map_err(|error| Trouble::usage("secret", capital(&error)))
}

/// How the terminal was before a prompt that does not echo, so that Ctrl-C can put it back.
#[cfg(unix)]
static ECHO: std::sync::Mutex<Option<rustix::termios::Termios>> = std::sync::Mutex::new(None);

struct EchoSaved;

impl EchoSaved {
    fn now() -> Self {
        #[cfg(unix)]
        if let Ok(mut saved) = ECHO.lock() {
            *saved = rustix::termios::tcgetattr(std::io::stdin()).ok();
        }
        Self
    }
}

impl Drop for EchoSaved {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Ok(mut saved) = ECHO.lock() {
            *saved = None;
        }
    }
}

/// For the handler of Ctrl-C: if a secret is being typed, gives the terminal its echo back. Then
/// there is nothing else to end.
pub fn interrupted_while_typing() -> bool {
    #[cfg(unix)]
    if let Ok(mut saved) = ECHO.lock()
        && let Some(saved) = saved.take()
    {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &saved);
        eprintln!();
        return true;
    }
    false
}

/// For `receive`: a passphrase, if one was given.
pub fn passphrase(code_file: Option<&Path>) -> Result<Option<Secret>, Trouble> {
    let Some(text) = given(code_file)? else {
        return Ok(None);
    };
    let secret = Secret::passphrase(&text);
    Ok(Some(secret.map_err(|error| {
        Trouble::usage("secret", capital(&error))
    })?))
}

/// An error as a sentence.
pub fn capital(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => text,
    }
}
