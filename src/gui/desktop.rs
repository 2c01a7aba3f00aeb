//! What the desktop says of looks (dark or light, no motion), live, and what it is told of progress.
//!
//! On Linux over D-Bus: the settings portal, and the launcher interface that docks and task bars of GNOME,
//! KDE and others draw a bar for. winit knows neither there. A system without them is as it was before.

use egui::Context;

#[cfg(target_os = "linux")]
use super::theme;

/// The desktop's wishes, as far as it has any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Looks {
    pub dark: Option<bool>,
    /// Nothing is to move that need not.
    pub still: bool,
}

/// The window's end of it.
pub struct Desktop {
    #[cfg(target_os = "linux")]
    looks: Looks,
    percent: Option<u64>,
    #[cfg(target_os = "linux")]
    bus: linux::Bus,
}

impl Desktop {
    pub fn new(context: &Context) -> Self {
        #[cfg(not(target_os = "linux"))]
        let _its_looks_come_from_winit = context;
        Self {
            #[cfg(target_os = "linux")]
            looks: Looks::default(),
            percent: None,
            #[cfg(target_os = "linux")]
            bus: linux::Bus::start(context),
        }
    }

    /// Follows what the desktop has said since, and says how far everything is.
    pub fn look(&mut self, context: &Context, percent: Option<u64>) {
        #[cfg(target_os = "linux")]
        {
            let said = self.bus.looks();
            if said != self.looks {
                self.looks = said;
                theme::follow(context, said);
            }
            if percent != self.percent {
                self.bus.show(percent);
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _winit_follows_by_itself = context;
        self.percent = percent;
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread;
    use std::time::Duration;

    use egui::Context;
    use zbus::blocking::{Connection, Proxy, connection::Builder};
    use zbus::zvariant::{OwnedValue, Value};

    use super::Looks;

    const PORTAL: &str = "org.freedesktop.portal.Desktop";
    const PORTAL_PATH: &str = "/org/freedesktop/portal/desktop";
    const SETTINGS: &str = "org.freedesktop.portal.Settings";
    const APPEARANCE: &str = "org.freedesktop.appearance";
    const GNOME: &str = "org.gnome.desktop.interface";
    const KDE: &str = "org.kde.kdeglobals.KDE";
    /// No desktop thinks that long; nobody waits for it either.
    const TIMEOUT: Duration = Duration::from_secs(5);

    /// Two threads that wait for D-Bus, and end with the program: reading can be ended by nobody else.
    pub struct Bus {
        looks: Arc<Mutex<Looks>>,
        percents: Option<Sender<Option<u64>>>,
    }

    impl Bus {
        pub fn start(context: &Context) -> Self {
            let looks = Arc::<Mutex<Looks>>::default();
            let (said, window) = (looks.clone(), context.clone());
            let listening = thread::Builder::new().name("desktop looks".into());
            let started = listening.spawn(move || {
                if let Err(why) = listen(&said, &window) {
                    tracing::info!("the desktop says nothing of looks: {why}");
                }
            });
            if let Err(why) = started {
                tracing::warn!("no thread for the desktop's looks: {why}");
            }
            Self {
                looks,
                percents: None,
            }
        }

        pub fn looks(&self) -> Looks {
            *self.looks.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// The first time there is something to say, a thread begins to say it.
        pub fn show(&mut self, percent: Option<u64>) {
            if self.percents.is_none() && percent.is_some() {
                let (percents, told) = channel();
                let telling = thread::Builder::new().name("desktop progress".into());
                let started = telling.spawn(move || {
                    if let Err(why) = tell(&told) {
                        tracing::info!("the task bar shows no progress: {why}");
                    }
                });
                if started.is_ok() {
                    self.percents = Some(percents);
                }
            }
            if let Some(percents) = &self.percents {
                let _no_task_bar = percents.send(percent);
            }
        }
    }

    fn bus() -> zbus::Result<Connection> {
        Builder::session()?.method_timeout(TIMEOUT).build()
    }

    fn listen(said: &Mutex<Looks>, window: &Context) -> zbus::Result<()> {
        let settings = Proxy::new(&bus()?, PORTAL, PORTAL_PATH, SETTINGS)?;
        // Asked for before the first look, so that no change falls between.
        let changes = settings.receive_signal("SettingChanged")?;
        let look = || {
            let looks = Looks {
                dark: number(&settings, APPEARANCE, "color-scheme").map(|scheme| scheme == 1),
                still: still(&settings),
            };
            *said.lock().unwrap_or_else(PoisonError::into_inner) = looks;
            window.request_repaint();
        };
        look();
        for _change in changes {
            look();
        }
        Ok(())
    }

    /// As the desktop's own settings say it: the portal's newer key, GNOME's, KDE's.
    fn still(settings: &Proxy) -> bool {
        number(settings, APPEARANCE, "reduced-motion") == Some(1)
            || read(settings, GNOME, "enable-animations")
                .is_some_and(|value| bool::try_from(value).is_ok_and(|moves| !moves))
            || read(settings, KDE, "AnimationDurationFactor")
                .and_then(|value| String::try_from(value).ok())
                .and_then(|factor| factor.parse::<f32>().ok())
                .is_some_and(|factor| factor == 0.0)
    }

    fn number(settings: &Proxy, namespace: &str, key: &str) -> Option<u32> {
        read(settings, namespace, key).and_then(|value| value.try_into().ok())
    }

    /// `Read` wraps what it reads twice, but every portal has it.
    fn read(settings: &Proxy, namespace: &str, key: &str) -> Option<OwnedValue> {
        let mut value: OwnedValue = settings.call("Read", &(namespace, key)).ok()?;
        while let Value::Value(inner) = &*value {
            value = inner.try_to_owned().ok()?;
        }
        Some(value)
    }

    /// `com.canonical.Unity.LauncherEntry`, by now everybody's.
    fn tell(percents: &Receiver<Option<u64>>) -> zbus::Result<()> {
        let bus = bus()?;
        let program = format!("application://{}.desktop", super::super::APP_ID);
        for mut percent in percents {
            // Only the newest counts.
            while let Ok(newer) = percents.try_recv() {
                percent = newer;
            }
            let progress = percent.map_or(0.0, |percent| percent.min(100) as f64 / 100.0);
            let shown = HashMap::from([
                ("progress", Value::from(progress)),
                ("progress-visible", Value::from(percent.is_some())),
            ]);
            bus.emit_signal(
                None::<&str>,
                "/com/canonical/unity/launcherentry/ropeway",
                "com.canonical.Unity.LauncherEntry",
                "Update",
                &(program.as_str(), shown),
            )?;
        }
        Ok(())
    }
}
