//! The icon in the tray of Linux desktops, and its menu.

use ksni::blocking::{Handle, TrayMethods as _};
use ksni::menu::StandardItem;
use ksni::{Icon, MenuItem, OfflineReason, Tray};

use super::{Labels, News, Teller};

/// An icon, until it is removed.
pub(super) struct Shown(Handle<Item>);

impl Shown {
    /// An icon that says this, and tells what the player does with it, and whether it is there.
    pub(super) fn new(labels: Labels, teller: Teller) -> Result<Self, ksni::Error> {
        let told = teller.clone();
        let shown = Item { labels, teller }.spawn()?;
        told.tell(News::Tray(true));
        Ok(Self(shown))
    }

    /// Has it say something else.
    pub(super) fn say(&self, labels: Labels) {
        self.0.update(|item| item.labels = labels);
    }

    /// It is gone when this returns.
    pub(super) fn remove(self) {
        self.0.shutdown().wait();
    }
}

/// What the tray asks of us.
struct Item {
    labels: Labels,
    teller: Teller,
}

impl Item {
    fn entry(&self, label: &str, news: fn(&Self) -> News) -> MenuItem<Self> {
        // An underscore would mark a key.
        let label = label.replace('_', "__");
        let activate = Box::new(move |item: &mut Self| item.teller.tell(news(item)));
        StandardItem { label, activate, ..StandardItem::default() }.into()
    }
}

impl Tray for Item {
    fn id(&self) -> String {
        "samara".to_owned()
    }

    fn title(&self) -> String {
        self.labels.name.clone()
    }

    fn icon_name(&self) -> String {
        // As the package's desktop file names it.
        if self.labels.icon.is_none() { "samara".to_owned() } else { String::new() }
    }

    fn icon_pixmap(&self) -> Vec<Icon> {
        let icon = self.labels.picture().and_then(|drawn| {
            let pixels = drawn.rgba.chunks_exact(4);
            let data = pixels.flat_map(|pixel| match *pixel {
                [red, green, blue, opacity] => [opacity, red, green, blue],
                _ => [0; 4],
            });
            let (width, height) = (i32::try_from(drawn.width).ok()?, i32::try_from(drawn.height).ok()?);
            Some(Icon { width, height, data: data.collect() })
        });
        icon.into_iter().collect()
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        self.teller.tell(News::Open);
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        let labels = &self.labels;
        let stop = if labels.is_stopped { &labels.go_on } else { &labels.stop };
        vec![
            self.entry(&labels.open, |_| News::Open),
            self.entry(stop, |item| News::StopAll(!item.labels.is_stopped)),
            MenuItem::Separator,
            self.entry(&labels.quit, |_| News::Quit),
        ]
    }

    fn watcher_online(&self) {
        self.teller.tell(News::Tray(true));
    }

    fn watcher_offline(&self, _reason: OfflineReason) -> bool {
        // The window would be out of reach.
        self.teller.tell(News::Tray(false));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::brand::Picture;

    #[test]
    fn the_menu_opens_stops_goes_on_and_quits() {
        let (to, news) = mpsc::channel();
        let teller = Teller { to, ctx: eframe::egui::Context::default() };
        let label = |text: &str| text.to_owned();
        let labels = Labels {
            name: label("Some_thing"),
            open: label("open"),
            stop: label("stop"),
            go_on: label("go on"),
            quit: label("quit"),
            is_stopped: false,
            icon: None,
        };
        let mut item = Item { labels, teller };
        for (is_stopped, expected) in [
            (false, [("open", "Open"), ("stop", "StopAll(true)"), ("quit", "Quit")]),
            (true, [("open", "Open"), ("go on", "StopAll(false)"), ("quit", "Quit")]),
        ] {
            item.labels.is_stopped = is_stopped;
            let mut told = Vec::new();
            for entry in item.menu() {
                let MenuItem::Standard(entry) = entry else { continue };
                (entry.activate)(&mut item);
                told.push((entry.label, format!("{:?}", news.try_recv().unwrap())));
            }
            let expected = expected.map(|(label, news)| (label.to_owned(), news.to_owned()));
            assert_eq!(told, expected);
        }
        item.activate(0, 0);
        assert!(matches!(news.try_recv(), Ok(News::Open)));
    }

    #[test]
    fn an_icon_has_all_its_pixels_opacity_first() {
        let (to, _news) = mpsc::channel();
        let teller = Teller { to, ctx: eframe::egui::Context::default() };
        let icon = Some(std::sync::Arc::new(Picture { width: 1, height: 1, rgba: vec![1, 2, 3, 4] }));
        let mut item = Item { labels: Labels { icon, ..Labels::default() }, teller };
        assert_eq!(item.icon_pixmap()[0].data, [4, 1, 2, 3]);
        assert!(item.icon_name().is_empty());
        item.labels.icon = None;
        let own = &item.icon_pixmap()[0];
        assert_eq!(own.data.len(), (4 * own.width * own.height) as usize);
        assert_eq!((own.data[0], item.icon_name().as_str()), (0, "samara"), "a corner is empty");
    }
}
