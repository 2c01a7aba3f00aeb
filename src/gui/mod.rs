//! The window: an egui front end over the engine.
//!
//! [`app::App`] holds the state and turns what a person wants into commands; [`view`] reduces the
//! engine's events to what is drawn; `panels` draw it; `theme` and `texts` own every colour, size
//! and word. No sockets, no files, no frames: the window never does the work and never blocks.

pub mod app;
mod aside;
pub mod clipboard;
mod clock;
pub mod demo;
mod desktop;
mod dialogs;
pub mod format;
mod ground;
mod keys;
pub mod notify;
mod pace;
pub mod panels;
pub mod paste;
mod reveal;
mod saver;
mod settle;
mod spoken;
mod symbols;
mod tab;
pub mod texts;
pub mod theme;
mod toast;
mod unstarted;
pub mod view;
mod widgets;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;

use crate::engine::{Config, Engine};
use crate::instance::{self, Claim, Serving};
use crate::settings::{self, Settings};
use app::App;
use desktop::Desktop;
use pace::Pace;
use settle::Settling;
use unstarted::Unstarted;

/// Names the window for the desktop: class, icon, `.desktop` file.
const APP_ID: &str = "ropeway";
/// Of the picture in which glyphs are kept, in memory and by the driver. It would be as wide as the driver takes:
/// 16,384 pixels in software, most of them empty.
const GLYPHS_WIDTH: usize = 2048;

/// Opens the window and runs until it is closed, or hands `paths` to the one that is open with this data
/// folder. They are queued for sending. `log` begins the log of this run: one that only hands over has none, or
/// such starts would push out those that somebody wants to read.
pub fn run(data_dir: PathBuf, paths: Vec<PathBuf>, log: impl FnOnce()) -> anyhow::Result<()> {
    let presence = settings::presence_of_run()?;
    let door = match instance::claim(&data_dir, &paths) {
        Ok(Claim::First(door)) => door,
        Ok(Claim::HandedOver) => return Ok(()),
        Err(error) => {
            // Without a window system, the terminal alone hears of it.
            let _ = unstarted::show(Unstarted::instance(&error));
            return Err(error.into());
        }
    };
    log();
    let (settings, not_read) = match Settings::load(&data_dir) {
        Ok(settings) => (settings, None),
        Err(error) => (Settings::default(), Some(error.to_string())),
    };
    let not_started = Rc::new(RefCell::new(None));
    let why_not = not_started.clone();
    let options = eframe::NativeOptions {
        viewport: viewport().with_inner_size(theme::WINDOW_SIZE),
        persistence_path: Some(data_dir.join("window.ron")),
        ..native_options()
    };
    eframe::run_native(
        "Ropeway",
        options,
        Box::new(move |creation| {
            theme::install(&creation.egui_ctx);
            let context = creation.egui_ctx.clone();
            let config = Config {
                data_dir: data_dir.clone(),
                name: settings.device_name(),
            };
            let pace = Arc::new(Pace::here());
            let news = pace.clone();
            let wake = move || {
                if let Some(after) = news.news(Instant::now()) {
                    context.request_repaint_after(after);
                }
            };
            let (engine, events) = match Engine::start(config, wake) {
                Ok(started) => started,
                Err(error) => {
                    let shown = Unstarted::engine(&error, settings.language);
                    *why_not.borrow_mut() = Some(error);
                    return Ok(Box::new(shown));
                }
            };
            let commands = move |command| engine.command(command);
            let mut app = App::new(settings, Some(data_dir), Box::new(commands), events);
            app.presence_of_run = presence;
            app.start(paths, not_read);
            let repaint = |context: &egui::Context| {
                let context = context.clone();
                move || context.request_repaint()
            };
            let (serving, handed) = door.serve(repaint(&creation.egui_ctx))?;
            app.hands.handed = Some(handed);
            let (desktop, heard) = notify::desktop::Desktop::start(repaint(&creation.egui_ctx));
            app.hands.heard = Some(heard);
            app.hands.order = Some(Box::new(move |order| desktop.order(order)));
            settle::as_usual(&creation.egui_ctx);
            let settling = pace.is_costly().then(|| Settling::new(&creation.egui_ctx));
            Ok(Box::new(Window {
                app,
                serving,
                pace,
                settling,
                desktop: Desktop::new(&creation.egui_ctx),
                title: String::new(),
            }))
        }),
    )
    .map_err(|error| anyhow::anyhow!("{error}"))
    .context("no window system answered")?;
    match not_started.take() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

fn viewport() -> egui::ViewportBuilder {
    let viewport = egui::ViewportBuilder::default()
        .with_app_id(APP_ID)
        .with_title("Ropeway")
        .with_min_inner_size(theme::WINDOW_MIN);
    match theme::window_icon() {
        Some(icon) => viewport.with_icon(icon),
        None => viewport,
    }
}

/// What every window of ours has in common.
fn native_options() -> eframe::NativeOptions {
    eframe::NativeOptions {
        event_loop_builder: prefer_x11(),
        // We paint plain colours. Where the processor paints it would cost a seventh more.
        dithering: false,
        ..eframe::NativeOptions::default()
    }
}

/// winit 0.30 knows no dropped files on native Wayland; through XWayland it does. So where both are
/// there X11 is taken, unless `ROPEWAY_WAYLAND` is set.
#[cfg(target_os = "linux")]
fn prefer_x11() -> Option<eframe::EventLoopBuilderHook> {
    use winit::platform::x11::EventLoopBuilderExtX11 as _;
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let both = set("DISPLAY") && set("WAYLAND_DISPLAY");
    (both && !set("ROPEWAY_WAYLAND")).then(|| -> eframe::EventLoopBuilderHook {
        Box::new(|builder| {
            builder.with_x11();
        })
    })
}

#[cfg(not(target_os = "linux"))]
fn prefer_x11() -> Option<eframe::EventLoopBuilderHook> {
    None
}

/// What eframe runs. The engine lives in the app's way of sending commands and ends with it.
struct Window {
    app: App,
    pace: Arc<Pace>,
    settling: Option<Settling>,
    desktop: Desktop,
    title: String,
    /// After the engine: a start that comes now finds everything written down.
    serving: Serving,
}

impl Drop for Window {
    /// Whoever starts from now on is not taken in by a window that closes, but waits for its end, which takes as long
    /// as the engine's.
    fn drop(&mut self) {
        self.app.hands.handed = None;
    }
}

fn narrow_glyphs(input: &mut egui::RawInput) {
    let widest = input.max_texture_side.map(|side| side.min(GLYPHS_WIDTH));
    input.max_texture_side = widest;
}

impl eframe::App for Window {
    fn logic(&mut self, context: &egui::Context, frame: &mut eframe::Frame) {
        // Runs also while the window is hidden, so that no event waits for a picture.
        self.pace.paints(Instant::now());
        if let Some(window) = frame.winit_window() {
            self.app.hands.in_front = window.has_focus() && !self.app.is_hidden();
            // A later start is what brings it back. On macOS there is none: a click in the Dock goes to
            // the one that runs, and shows no hidden window.
            self.app.hands.can_hide = cfg!(not(target_os = "macos"))
                && window.is_visible().is_some()
                && self.serving.is_reachable();
        }
        self.app.drain();
        self.app.attend(context);
        self.desktop.look(context, self.app.overall_percent());
        let title = self.app.title();
        if title != self.title
            && let Some(window) = frame.winit_window()
        {
            // Not as egui's command, which would have another picture made at once, with another
            // percentage, and so on.
            window.set_title(&title);
            self.title = title;
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.app.ui(ui, Some(frame));
        if let Some(settling) = &mut self.settling {
            settling.pass(ui.ctx());
        }
    }

    fn raw_input_hook(&mut self, _context: &egui::Context, input: &mut egui::RawInput) {
        narrow_glyphs(input);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}
