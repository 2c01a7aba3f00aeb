//! What a person chose, kept in `settings.json` in the data folder.
//!
//! One versioned record, written to a temporary file, flushed and renamed, so that it is never half
//! there. A missing file means the defaults; a damaged one is put aside and said; one of a newer
//! version is left alone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::Limits;
use crate::model::{Allow, DEFAULT_PORT, DeviceName, OnConflict, Presence};
use crate::storage::record::{self, RecordError};

const FILE: &str = "settings.json";
const VERSION: u32 = 1;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What this device calls itself.
    pub name: String,
    pub save_folder: PathBuf,
    /// The port of the server; where it is taken, another one is for this time only.
    pub port: u16,
    /// The server was on when the window closed.
    pub receive_on: bool,
    /// Who gets as far as an offer.
    pub allow: Allow,
    /// For all transfers together, in bytes a second; 0 for none.
    pub speed_limit: u64,
    /// Transfers to one device that move at once.
    pub at_once: u32,
    /// What happens to names that are taken, unless said otherwise for an offer.
    pub on_conflict: OnConflict,
    /// How this device shows itself on the local network.
    pub presence: Presence,
    /// What was said and heard stays on the disk.
    pub keep_conversations: bool,
    pub theme: Theme,
    pub language: Language,
    /// The panel that shows what goes on at every connection.
    pub wire: bool,
    /// What happens to the server and to transfers when the window is closed.
    pub on_close: OnClose,
    /// The desktop is told what happens while another window is in front.
    pub notify: bool,
    /// The size of text and of everything around it, in percent.
    pub zoom_percent: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    System,
    English,
    Chinese,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnClose {
    #[default]
    Ask,
    /// The window is hidden, and everything goes on.
    Background,
    Quit,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: host_name(),
            save_folder: default_save_folder(),
            port: DEFAULT_PORT,
            receive_on: false,
            allow: Allow::Anyone,
            speed_limit: 0,
            at_once: 3,
            on_conflict: OnConflict::default(),
            presence: Presence::Visible,
            keep_conversations: true,
            theme: Theme::default(),
            language: Language::default(),
            wire: false,
            on_close: OnClose::default(),
            notify: true,
            zoom_percent: 100,
        }
    }
}

/// How a run shows itself where nobody can be asked for settings: an environment variable.
const PRESENCE: &str = "ROPEWAY_PRESENCE";

/// It has another value.
#[derive(Debug, thiserror::Error)]
#[error("{PRESENCE} is one of visible, hidden, off.")]
pub struct NoPresence;

/// How this run shows itself, if the environment says so.
///
/// # Errors
/// It says something else.
pub fn presence_of_run() -> Result<Option<Presence>, NoPresence> {
    match std::env::var(PRESENCE) {
        Ok(text) => Presence::parse(&text).map(Some).ok_or(NoPresence),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(NoPresence),
    }
}

impl Settings {
    /// Reads the settings of a data folder. An error says what was done instead of reading.
    pub fn load(data_dir: &Path) -> Result<Self, RecordError> {
        Ok(record::load(&data_dir.join(FILE), VERSION)?.unwrap_or_default())
    }

    pub fn save(&self, data_dir: &Path) -> Result<(), RecordError> {
        record::save(&data_dir.join(FILE), VERSION, self)
    }

    pub fn limits(&self) -> Limits {
        Limits {
            bytes_per_second: Some(self.speed_limit).filter(|limit| *limit > 0),
            at_once: self.at_once.max(1) as usize,
        }
    }

    pub fn device_name(&self) -> DeviceName {
        DeviceName::cleaned(&self.name, &host_name())
    }
}

/// The computer's own name without its domain, or "Ropeway device".
fn host_name() -> String {
    let full = gethostname::gethostname().to_string_lossy().into_owned();
    let short = full.split('.').next().unwrap_or_default();
    DeviceName::cleaned(short, "Ropeway device").to_string()
}

/// `Downloads/Ropeway`, or the same below the home folder or the current one.
fn default_save_folder() -> PathBuf {
    let dirs = directories::UserDirs::new();
    let base = dirs.as_ref().map(|dirs| {
        dirs.download_dir()
            .map_or_else(|| dirs.home_dir().join("Downloads"), Path::to_path_buf)
    });
    base.unwrap_or_default().join("Ropeway")
}

/// The platform's folder for this program's data.
pub fn default_data_dir() -> PathBuf {
    directories::ProjectDirs::from("", "", "ropeway").map_or_else(
        || PathBuf::from(".ropeway-data"),
        |dirs| dirs.data_dir().to_path_buf(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_an_earlier_program_are_taken_over_and_those_of_a_later_one_are_not_touched() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join(FILE);
        std::fs::write(
            &path,
            r#"{"version":1,"port":9123,"theme":"dark","gone":[1]}"#,
        )
        .unwrap();
        let settings = Settings::load(data.path()).unwrap();
        assert_eq!((settings.port, settings.theme), (9123, Theme::Dark));
        assert_eq!(
            settings.at_once,
            Settings::default().at_once,
            "what it did not know"
        );

        let later = r#"{"version":2,"port":{"from":9000,"to":9010}}"#;
        std::fs::write(&path, later).unwrap();
        assert!(Settings::load(data.path()).is_err());
        assert!(Settings::default().save(data.path()).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), later);
    }
}
