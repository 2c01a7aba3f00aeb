//! The system's file dialogs, each on a short-lived thread, so that no frame waits for one.

use std::path::PathBuf;

use egui::Context;

use super::aside::Aside;
use super::texts::Texts;
use crate::model::{DeviceId, TransferId};

/// What a dialog brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Picked {
    ToSend(Vec<PathBuf>),
    SaveFolder(PathBuf),
    /// Where the list of failures goes.
    List(PathBuf),
    OfferFolder(TransferId, PathBuf),
    /// What goes to the device of a conversation.
    ForTalk(DeviceId, Vec<PathBuf>),
    /// Where what a known device sends is saved.
    RuleFolder(DeviceId, PathBuf),
    /// Where a transfer is to go from now on.
    OtherFolder(TransferId, PathBuf),
    Nothing,
    /// No dialog could be shown on this system.
    NoDialog,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Files,
    Folder,
    SaveFolder,
    List,
    /// Where one offer is to go.
    OfferFolder(TransferId),
    /// Where a transfer whose disk is full is to go.
    OtherFolder(TransferId),
    /// Where what a known device sends is saved.
    RuleFolder(DeviceId),
    /// What goes to the device of a conversation.
    ForTalk(DeviceId),
}

/// At most one dialog is open; a second click is ignored while it is.
#[derive(Default)]
pub struct Dialogs {
    open: Aside<Picked>,
}

impl Dialogs {
    /// Says whether it is shown.
    pub fn show(
        &mut self,
        kind: Kind,
        texts: &'static Texts,
        start: Option<&PathBuf>,
        context: &Context,
        frame: Option<&eframe::Frame>,
    ) -> bool {
        if self.open.is_open() {
            return false;
        }
        let mut dialog = rfd::FileDialog::new();
        if let Some(frame) = frame {
            dialog = dialog.set_parent(frame);
        }
        if let Some(start) = start {
            dialog = dialog.set_directory(start);
        }
        let dialog = dialog.set_title(match kind {
            Kind::Files | Kind::ForTalk(_) => texts.pick_files_title,
            Kind::Folder => texts.pick_folder_title,
            Kind::SaveFolder
            | Kind::OfferFolder(_)
            | Kind::OtherFolder(_)
            | Kind::RuleFolder(_) => texts.pick_save_title,
            Kind::List => texts.save_list_title,
        });
        let dialog = match kind {
            Kind::List => dialog
                .set_file_name(texts.list_file_name)
                .add_filter("CSV", &["csv"]),
            Kind::Files
            | Kind::Folder
            | Kind::SaveFolder
            | Kind::OfferFolder(_)
            | Kind::OtherFolder(_)
            | Kind::ForTalk(_)
            | Kind::RuleFolder(_) => dialog,
        };
        self.open
            .start("dialog", move || run(kind, dialog), context)
    }

    /// What the open dialog brought, once.
    pub fn poll(&mut self) -> Option<Picked> {
        let picked = self.open.poll()?;
        Some(picked.unwrap_or(Picked::NoDialog))
    }
}

fn run(kind: Kind, dialog: rfd::FileDialog) -> Picked {
    match kind {
        // On Linux a cancelled choice of files is an empty list; nothing at all means that there
        // was no dialog.
        Kind::Files => match dialog.pick_files() {
            Some(files) if files.is_empty() => Picked::Nothing,
            Some(files) => Picked::ToSend(files),
            None if cfg!(target_os = "linux") => Picked::NoDialog,
            None => Picked::Nothing,
        },
        Kind::ForTalk(device) => match dialog.pick_files() {
            Some(files) if !files.is_empty() => Picked::ForTalk(device, files),
            Some(_) | None => Picked::Nothing,
        },
        Kind::Folder => match dialog.pick_folders() {
            Some(folders) if folders.is_empty() => Picked::Nothing,
            Some(folders) => Picked::ToSend(folders),
            None if cfg!(target_os = "linux") => Picked::NoDialog,
            None => Picked::Nothing,
        },
        Kind::SaveFolder => match dialog.pick_folder() {
            Some(folder) => Picked::SaveFolder(folder),
            None => Picked::Nothing,
        },
        Kind::List => match dialog.save_file() {
            Some(path) => Picked::List(path),
            None => Picked::Nothing,
        },
        Kind::OtherFolder(transfer) => match dialog.pick_folder() {
            Some(folder) => Picked::OtherFolder(transfer, folder),
            None => Picked::Nothing,
        },
        Kind::RuleFolder(device) => match dialog.pick_folder() {
            Some(folder) => Picked::RuleFolder(device, folder),
            None => Picked::Nothing,
        },
        Kind::OfferFolder(transfer) => match dialog.pick_folder() {
            Some(folder) => Picked::OfferFolder(transfer, folder),
            None => Picked::Nothing,
        },
    }
}
