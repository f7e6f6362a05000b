# Was das Fenster auf Deutsch sagt. Schlicht und freundlich: was ist, was als Nächstes geschieht, was man tun kann.

unit-seconds = { $count ->
    [one] 1 Sekunde
   *[other] { $count } Sekunden
}
unit-minutes = { $count ->
    [one] 1 Minute
   *[other] { $count } Minuten
}
unit-hours = { $count ->
    [one] 1 Stunde
   *[other] { $count } Stunden
}
unit-rate = { $bytes }/s

library-title = Bibliothek
library-search = Spiele suchen
library-order = Sortieren nach
order-recent = Zuletzt gespielt
order-name = Name
order-installed = Installierte zuerst
layout-grid = Als Karten zeigen
layout-grid-short = Karten
layout-list = Als Liste zeigen
layout-list-short = Liste
library-count = { $count ->
    [one] 1 Spiel
   *[other] { $count } Spiele
}
library-empty = Noch keine Spiele
library-empty-text = Öffne den Link, den dir das Studio eines Spiels gibt, oder trage hier seine Adresse ein.
library-add = Spiel hinzufügen
library-none-found = Kein Spiel heißt „{ $query }“.
library-show-all = Alle Spiele zeigen
library-open = { $name }, { $state }

add-title = Spiel hinzufügen
add-text = Das Studio gibt dir drei Dinge: die Adresse seines Servers, den Namen des Spiels dort und eine kleine Datei namens root.json, in der steht, wessen Unterschriften gelten.
add-address = Adresse des Spiele-Servers
add-game = Name des Spiels dort
add-root = Schlüsseldatei des Studios (root.json)
add-next = Weiter
add-compare = Das ist der Fingerabdruck des Schlüssels. Vergleiche ihn mit dem auf der Seite des Studios: Nur wenn beide gleich sind, kommen Updates vom Studio.
add-confirm = Er ist gleich: Spiel hinzufügen
add-refuse = Er ist anders: abbrechen

state-not-installed = Nicht installiert
state-installed = Version { $release }
state-update = Version { $release } ist da
state-damaged = Muss repariert werden
state-playing = Läuft
state-failed = Braucht deine Hilfe
state-halted = Das Studio hat dieses Update vorerst angehalten
state-pinned = Bleibt bei Version { $release }

game-back = Zurück zur Bibliothek
game-installed = Installiert: Version { $release }
game-offered = Neueste: Version { $release }
game-channel = Kanal: { $channel }
game-source = Von { $repo }
game-root = Die Schlüsseldatei des Studios: { $fingerprint }
game-left = Diese Dateien gehören dir und blieben, wo sie sind: { $files }
uninstall-ask = { $name } von diesem Computer entfernen? Die Dateien des Spiels verschwinden; deine eigenen Dateien in seinem Ordner bleiben und werden genannt.
uninstall-yes = Ja, entfernen
uninstall-no = Nein, behalten
game-folder = Ordner: { $folder }

does-install = Installieren
does-update = Aktualisieren
does-resume = Fortsetzen
does-pause = Anhalten
does-play = Spielen
does-repair = Prüfen und reparieren
does-rollback = Zurück zur vorigen Version
does-uninstall = Von diesem Computer entfernen
does-start-now = Jetzt beginnen
does-free-space = Platz schaffen

wait-game = Wartet, bis { $program } beendet ist
wait-this-game = Wartet, bis das Spiel beendet ist
wait-space = Wartet auf Platz auf der Festplatte
wait-network = Wartet auf ein Netz
wait-schedule = Beginnt in { $time }
wait-unmetered = Wartet auf eine kostenlose Verbindung
wait-power = Wartet auf Strom aus der Steckdose
wait-other-game = Wartet, bis du fertig gespielt hast
wait-turn = { $before ->
    [one] Als Nächstes, nach einem anderen
   *[other] Nach { $before } anderen
}
wait-applying = Wechselt zur neuen Version
wait-stopping = Hält an
wait-removing = Wird entfernt
wait-studio = Vom Studio vorerst angehalten

phase-waiting = Wartet
phase-recovering = Bringt Begonnenes zu Ende
phase-checking = Fragt, was es Neues gibt
phase-scanning = Prüft deine Dateien
phase-downloading = Lädt herunter
phase-rebuilding = Packt aus
phase-applying = Wechselt zur neuen Version
phase-seeding = Teilt mit anderen
phase-removing = Wird entfernt
phase-paused = Angehalten
phase-done = Bereit
phase-failed = Von einem Fehler angehalten

progress-of = { $done } von { $total }
progress-left = Noch etwa { $time }
progress-of-phase = { $phase }: { $percent } %

first-title = Willkommen bei { $name }
first-brings = Diese Spiele bringt der Launcher mit: { $games }
first-question = Darf dieser Computer Spieldateien mit anderen teilen?
first-what = Updates kommen schneller, wenn Spieler sie einander weitergeben. Wenn du zustimmst, schickt der Launcher Teile deiner installierten Spiele an andere.
first-never = Er verschickt nie etwas anderes als Spieldateien, und nichts, während du spielst oder wenn die Verbindung nach Datenmenge kostet.
first-change = In den Einstellungen kannst du das jederzeit ändern und eine Grenze setzen.
first-yes = Ja, teilen
first-no = Nein, nur herunterladen

card-code = Code { $code }
card-details = Einzelheiten
card-copy = Einzelheiten kopieren

act-retry = Noch einmal versuchen
act-resume = Weitermachen
act-choose-folder = Anderen Ordner wählen
act-free-space = Platz schaffen
act-wait = Warten, bis es beendet ist
act-repair = Reparieren
act-adopt = Dateien prüfen und nutzen
act-update-launcher = Launcher aktualisieren
act-settings = Einstellungen öffnen
act-versions = Alle Versionen zeigen
act-add-again = Spiel neu hinzufügen
act-report = Bericht kopieren
act-understood = In Ordnung

why-line = Mehr hat deine Leitung bisher nie geliefert.
why-cap = Deine eigene Grenze von { $rate } bremst.
why-cap-playing = Während du spielst, sind es höchstens { $rate }.
why-disk = Deine Festplatte schreibt nicht schneller.
why-processor = Dein Prozessor ist voll ausgelastet.
why-silence = Im Moment schickt niemand etwas.
why-no-peers-allowed = Alles kommt allein vom Server des Studios, weil andere Spieler nicht als Quelle erlaubt sind.
why-few-peers = Kaum jemand hat diese Version schon, deshalb trägt der Server des Studios das meiste.
why-sources = Andere Spieler und der Server schicken nicht schneller.
why-unknown = Es hat gerade erst begonnen.
remedy-raise-limit = Grenze ändern
remedy-allow-peers = Andere Spieler erlauben
remedy-other-disk = Andere Festplatte wählen
remedy-check-network = Netz prüfen

tray-open = Öffnen
tray-quit = Beenden
tiding-ready = Version { $release } ist da.
tiding-done = Version { $release } ist installiert.
place-library = Bibliothek
place-downloads = Downloads
place-settings = Einstellungen
going-on = { $name }: { $told }

downloads-title = Downloads
downloads-stop = Alle anhalten
downloads-go-on = Mit allen weitermachen
downloads-none = Nichts herunterzuladen
downloads-none-text = Hier stehen Installationen und Updates, während sie laufen.
download-state = { $job }: { $state }
download-named = { $does }: { $name }
download-cancel = Abbrechen
download-sooner = Früher
download-later = Später
download-peers = { $peers ->
    [one] 1 anderer Spieler verbunden, { $bytes } gesendet
   *[other] { $peers } andere Spieler verbunden, { $bytes } gesendet
}
job-install = Installation
job-update = Update
job-repair = Reparatur
job-rollback = Zurück zur vorigen Version
job-uninstall = Entfernen
stage-check = Prüfen
stage-download = Herunterladen
stage-verify = Entpacken und prüfen
stage-apply = Einsetzen
pace-told = Netz { $network }, Festplatte { $disk }
pace-network = Netz
pace-disk = Festplatte
pace-most = Höchstens
pace-upload = Gesendet
sources-told = Woher die Daten kamen
source-local = Von dieser Festplatte
source-lan = Aus deinem Netz
source-peers = Von anderen Spielern
source-web = Vom Studio
why-title = Warum so langsam?

settings-title = Einstellungen
settings-sharing = Teilen
settings-limits = Tempo
settings-limits-text = Ohne Grenze nimmt es, was deine Leitung hergibt, und lässt anderem den Vortritt.
limit-download = Downloads begrenzen
limit-upload = Begrenzen, was gesendet wird
limit-background-download = Downloads begrenzen, während das Fenster im Hintergrund ist
limit-background-upload = Begrenzen, was gesendet wird, während das Fenster im Hintergrund ist
limit-playing-download = Downloads begrenzen, während ein Spiel läuft
limit-value = { $limit }: wie viel
limit-unit = kB pro Sekunde
settings-times = Wann
schedule = Nur herunterladen zwischen
schedule-from = Ab dieser Zeit
schedule-to = Bis zu dieser Zeit
rule-metered = Anhalten, wenn die Verbindung nach Datenmenge kostet
rule-battery = Anhalten ohne Netzstrom
rule-playing = Anhalten, während ein Spiel läuft
settings-auto-update = Updates von selbst holen
settings-folder = Spiele
settings-folder-text = Ordner für neue Spiele
settings-folder-usual = Der übliche Ort
settings-look = Fenster
settings-language = Sprache
settings-theme = Farben
as-the-system = Wie im System
look-dark = Dunkel
look-light = Hell
settings-zoom = Größe von allem, in Prozent
settings-animations = Bewegungen
settings-minimised = Ohne Fenster starten
settings-tray = Weiterlaufen, wenn das Fenster geschlossen wird
own-title = Dieses Programm
own-version = Version { $release }
own-none = Es aktualisiert sich nicht selbst: Neue Versionen bekommst du so, wie du es installiert hast.
own-check = Nach Updates suchen
own-looking = Es wird nach einer neuen Version gefragt …
own-working = Die neue Version wird geholt
own-newest = Du hast die neueste Version.
own-offered = Version { $release } ist da.
own-update = Auf Version { $release } aktualisieren
own-ready = Version { $release } läuft ab dem nächsten Start.
own-restart = Jetzt neu starten
own-refused = Version { $release } ist da, ist hier aber nicht gestartet. Die nächste wird wieder versucht.
own-back = Zurück zu Version { $release }
own-back-waits = es ist gerade mit Updates beschäftigt.
legend = { $name }: { $value }

preflight-install = { $name } installieren
preflight-update = { $name } aktualisieren
preflight-folder = Ordner
choose-folder = Ordner wählen
choose-from-list = Wählen …
no-chooser = Dieser Desktop bietet keine Liste der Ordner: Tippe den Ordner ein.
preflight-where = Wo liegt { $name }?
preflight-move = Sag, wo das Spiel jetzt liegt oder wohin es soll. Was in dem Ordner schon ist, wird geprüft und genutzt; der alte Ordner bleibt, wie er ist.
preflight-use-folder = Diesen Ordner nehmen
preflight-costs = Was es braucht
preflight-asking = Wird ausgerechnet …
preflight-lacks = Auf dieser Festplatte fehlen { $bytes }. Wähle einen anderen Ordner oder schaffe Platz.
preflight-back = Danach kannst du zurück, ohne etwas herunterzuladen.
preflight-rollback = { $name }: zurück zur vorigen Version
preflight-rollback-text = Niemand wird gefragt, und es braucht kein Netz. Was ersetzt wird, bleibt aufgehoben, sodass auch das Update danach nichts herunterlädt.
preflight-release = Version { $release } von { $name } installieren
preflight-release-text = Du bleibst dabei: Kein Update kommt, bis du es anders willst.
preflight-leads-to = Zurück zu Version { $release }
cost-nothing = Nichts
preflight-not-now = Jetzt nicht
cost-size = Größe des Spiels
cost-download = Herunterzuladen
cost-space = Platz, der dabei gebraucht wird
cost-free = Frei auf dieser Festplatte
cost-written = Zu schreiben
cost-files = Zu schreibende Dateien
cost-time = Zeit
cost-time-range = { $least } bis { $most }
notes-title = Neu in { $release }
receipt-title = Das letzte Update, auf { $release }
receipt-received = Heruntergeladen
receipt-saved = Gespart, weil nur Unterschiede geholt wurden
receipt-sent = Dabei an andere Spieler gesendet
receipt-time = Zeit
authentic-title = Ist es das echte?
authentic-text = Jede Datei wird mit einer Liste verglichen, die das Studio unterschrieben hat, bevor sie benutzt wird.
authentic-keys = { $count ->
    [one] Seine Versionen sind mit dem Schlüssel { $keys } unterschrieben, den Fassung { $root } der Schlüsseldatei des Studios nennt.
   *[other] Seine Versionen sind mit { $needed } der Schlüssel { $keys } unterschrieben, die Fassung { $root } der Schlüsseldatei des Studios nennt.
}
authentic-checked = { $good } von { $files } Dateien geprüft
authentic-unchecked = Alle Dateien wurden beim Installieren geprüft. „Prüfen und reparieren“ sieht sich jede noch einmal an.
game-stay = Bei dieser Version bleiben
game-look-ahead = Was sich ändert

versions-title = Versionen von { $name }
versions-back = Zurück zum Spiel
versions-asking = Es wird gefragt, welche Versionen es gibt …
versions-busy = Solange mit diesem Spiel etwas geschieht, lässt sich keine andere Version wählen.
versions-channels = Kanal
versions-channels-text = Einem Kanal folgen die Updates. Die meisten folgen „stable“; andere bekommen Versionen vielleicht früher und weniger erprobt.
versions-channel = { $channel }: Version { $release }
versions-pinned = Vorerst bleibst du bei Version { $release }, welcher Kanal auch gewählt ist.
versions-take = Installieren und dabei bleiben
channel-same = Die hast du.
channel-ready = Dem folgst du; ein Update liegt bereit.
channel-update = Bringt ein Update, wenn du ihn wählst.
channel-older = Älter als deine: Du behältst deine, bis dieser Kanal eine neuere hat.
channel-halted = Vom Studio vorerst angehalten: Du behältst deine.
version-title = Version { $release }
version-here = Installiert
version-channels = Neueste in { $channels }
version-kept = Was der Weg zurück braucht, liegt auf diesem Computer: Nichts wird heruntergeladen.
version-back = Zurückgehen
version-back-to = Zurück zu Version { $release }
version-take-named = Version { $release } installieren und dabei bleiben
