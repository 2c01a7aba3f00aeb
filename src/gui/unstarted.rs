//! The window where nothing could be started. Who has clicked an icon sees no terminal, so that the reason has to be
//! said here.

use super::texts::{self, Texts};
use super::{theme, widgets};
use crate::engine::StartError;
use crate::instance::InstanceError;
use crate::settings::Language;

pub struct Unstarted {
    texts: &'static Texts,
    sentence: String,
}

impl Unstarted {
    pub fn engine(error: &StartError, language: Language) -> Self {
        let texts = texts::texts(language);
        let words = &texts.unstarted;
        let sentence = match error {
            StartError::DataDir { folder, problem } => {
                (words.folder)(folder, &(texts.problem)(problem))
            }
            StartError::IdentityNewer { found, path } => (words.identity_newer)(*found, path),
            StartError::IdentityDamaged { aside } => (words.identity_damaged)(aside),
            StartError::Identity { .. } | StartError::Thread(_) => {
                (words.other)(&error.to_string())
            }
        };
        Self { texts, sentence }
    }

    /// Not even the settings were read, so this speaks as the desktop does.
    pub fn instance(error: &InstanceError) -> Self {
        let texts = texts::texts(Language::System);
        let words = &texts.unstarted;
        let sentence = match error {
            InstanceError::Folder { folder, error } => {
                (words.folder)(folder, &(words.other)(&error.to_string()))
            }
            InstanceError::NoAnswer { folder } => (words.no_answer)(folder),
            InstanceError::TooMany => (words.other)(&error.to_string()),
        };
        Self { texts, sentence }
    }

    pub fn ui(&self, ui: &mut egui::Ui) {
        let context = ui.ctx().clone();
        let words = &self.texts.unstarted;
        let mut close = false;
        let escaped = widgets::firm_dialog(&context, "unstarted", |ui| {
            ui.label(widgets::title(words.title));
            ui.add_space(theme::SECTION);
            ui.label(&self.sentence);
            ui.add_space(theme::SECTION);
            widgets::answers(ui, |ui| {
                let button = widgets::primary(ui, true, words.close);
                if context.memory(|memory| memory.focused().is_none()) {
                    button.request_focus();
                }
                close = button.clicked();
            });
        });
        if close || escaped {
            context.send_viewport_cmd(egui::ViewportCommand::Close);
        }
    }
}

impl eframe::App for Unstarted {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        Self::ui(self, ui);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

/// Shows it until it is closed. The place of the usual window is not touched.
pub fn show(unstarted: Unstarted) -> eframe::Result {
    let options = eframe::NativeOptions {
        viewport: super::viewport().with_inner_size(theme::WINDOW_MIN),
        persist_window: false,
        ..super::native_options()
    };
    let open = |creation: &eframe::CreationContext<'_>| {
        theme::install(&creation.egui_ctx);
        Ok(Box::new(unstarted) as Box<dyn eframe::App>)
    };
    eframe::run_native("Ropeway", options, Box::new(open))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    use super::*;
    use crate::engine::{Config, Engine};
    use crate::model::DeviceName;

    fn refused(data_dir: &Path) -> StartError {
        let config = Config {
            data_dir: data_dir.to_owned(),
            name: DeviceName::cleaned("Study PC", "device"),
        };
        Engine::start(config, || {}).err().expect("no start")
    }

    #[test]
    fn an_identity_of_a_newer_version_or_a_damaged_one_is_said_in_a_window_and_not_lost() {
        let newer = r#"{"version":2,"more":true}"#;
        let cut = r#"{"version":1,"certif"#;
        let nonsense = r#"{"version":1,"certificate":"x","private_key":"y"}"#;
        for (content, left) in [
            (newer, "identity.json"),
            (cut, "identity.json.damaged"),
            (nonsense, "identity.json.damaged"),
        ] {
            let home = tempfile::tempdir().unwrap();
            fs::write(home.path().join("identity.json"), content).unwrap();
            let error = refused(home.path());
            assert_eq!(fs::read_to_string(home.path().join(left)).unwrap(), content);
            let files = fs::read_dir(home.path()).unwrap();
            let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
            assert_eq!(files, [left]);
            for language in [Language::English, Language::Chinese] {
                let window = Unstarted::engine(&error, language);
                assert!(window.sentence.contains(left), "{}", window.sentence);
                let harness = Harness::builder()
                    .with_size(theme::WINDOW_MIN)
                    .with_context_setup(theme::install)
                    .build_ui(|ui| window.ui(ui));
                harness.get_by_label(window.texts.unstarted.title);
                harness.get_by_label(&window.sentence);
                harness.get_by_label(window.texts.unstarted.close);
            }
        }
    }
}
