# What the window says, in English. Plain and kind: what is, what happens next, what one can do.

unit-seconds = { $count ->
    [one] 1 second
   *[other] { $count } seconds
}
unit-minutes = { $count ->
    [one] 1 minute
   *[other] { $count } minutes
}
unit-hours = { $count ->
    [one] 1 hour
   *[other] { $count } hours
}
unit-rate = { $bytes }/s

library-title = Library
library-search = Search games
library-order = Sort by
order-recent = Played last
order-name = Name
order-installed = Installed first
layout-grid = Show as cards
layout-grid-short = Cards
layout-list = Show as a list
layout-list-short = List
library-count = { $count ->
    [one] 1 game
   *[other] { $count } games
}
library-empty = No games yet
library-empty-text = Open the link that a game’s studio gives you, or add its address here.
library-add = Add a game
library-none-found = No game is called “{ $query }”.
library-show-all = Show all games
library-open = { $name }, { $state }

add-title = Add a game
add-text = The game’s studio gives you three things: the address of its server, the name of the game there, and a small file called root.json that says whose signatures to believe.
add-address = Address of the game’s server
add-game = Name of the game there
add-root = The studio’s key file (root.json)
add-next = Continue
add-compare = This is the fingerprint of the studio’s key. Compare it with the one on the studio’s own page: only if they are the same do updates come from the studio.
add-confirm = It is the same: add the game
add-refuse = It is not the same: stop

state-not-installed = Not installed
state-installed = Version { $release }
state-update = Version { $release } is ready
state-damaged = Needs a repair
state-playing = Running
state-failed = Needs your attention
state-halted = The studio has stopped this update for now
state-pinned = Stays at version { $release }

game-back = Back to the library
game-installed = Installed: version { $release }
game-offered = Newest: version { $release }
game-channel = Channel: { $channel }
game-source = From { $repo }
game-root = The studio’s key file: { $fingerprint }
game-folder = Folder: { $folder }
game-left = These files are your own and were left where they are: { $files }
uninstall-ask = Remove { $name } from this computer? Its files go; files of your own in its folder stay, and are named.
uninstall-yes = Yes, remove it
uninstall-no = No, keep it

does-install = Install
does-update = Update
does-resume = Resume
does-pause = Pause
does-play = Play
does-repair = Check and repair
does-rollback = Go back to the version before
does-uninstall = Remove from this computer
does-start-now = Start now
does-free-space = Make room

wait-game = Waiting for { $program } to end
wait-this-game = Waiting for the game to end
wait-space = Waiting for room on the disk
wait-network = Waiting for a network
wait-schedule = Starts in { $time }
wait-unmetered = Waiting for a free connection
wait-power = Waiting for mains power
wait-other-game = Waiting until you stop playing
wait-turn = { $before ->
    [one] Next, after 1 other
   *[other] After { $before } others
}
wait-applying = Switching to the new version
wait-stopping = Stopping
wait-removing = Removing
wait-studio = Stopped by the studio for now

phase-waiting = Waiting
phase-recovering = Finishing what was begun
phase-checking = Asking what is new
phase-scanning = Checking your files
phase-downloading = Downloading
phase-rebuilding = Unpacking
phase-applying = Switching to the new version
phase-seeding = Sharing with other players
phase-removing = Removing
phase-paused = Paused
phase-done = Ready
phase-failed = Stopped by an error

progress-of = { $done } of { $total }
progress-left = About { $time } left
progress-of-phase = { $phase }: { $percent } %

first-title = Welcome to { $name }
first-brings = These games come with this launcher: { $games }
first-question = May this computer share game files with other players?
first-what = Updates come faster when players pass them on to each other. If you agree, the launcher sends parts of the games you have installed to other players.
first-never = It never sends anything but game files, and nothing while you play or on a connection that costs by the byte.
first-change = You can change this, and set a limit, at any time in the settings.
first-yes = Yes, share
first-no = No, only download

card-code = Code { $code }
card-details = Details
card-copy = Copy the details

act-retry = Try again
act-resume = Go on
act-choose-folder = Choose another folder
act-free-space = Make room
act-wait = Wait until it ends
act-repair = Repair
act-adopt = Check and use the files
act-update-launcher = Update the launcher
act-settings = Open the settings
act-versions = Show all versions
act-add-again = Add the game again
act-report = Copy a report
act-understood = All right

why-line = This is the most your line was ever seen to give.
why-cap = Your own limit of { $rate } holds it back.
why-cap-playing = While you play, it is held to { $rate }.
why-disk = Your disk cannot write any faster.
why-processor = Your processor is fully busy.
why-silence = Nobody is sending anything right now.
why-no-peers-allowed = It comes from the studio’s server alone, because other players are not allowed as a source.
why-few-peers = Hardly any other player has this version yet, so the studio’s server does most of it.
why-sources = Other players and the server are not sending any faster.
why-unknown = It has only just begun.
remedy-raise-limit = Change the limit
remedy-allow-peers = Allow other players
remedy-other-disk = Choose another disk
remedy-check-network = Check your network

tray-open = Open
tray-quit = Quit
tiding-ready = Version { $release } is ready.
tiding-done = Version { $release } is installed.
place-library = Library
place-downloads = Downloads
place-settings = Settings
going-on = { $name }: { $told }

downloads-title = Downloads
downloads-stop = Pause all
downloads-go-on = Go on with all
downloads-none = Nothing to download
downloads-none-text = Installs and updates appear here while they run.
download-state = { $job }: { $state }
download-named = { $does }: { $name }
download-cancel = Cancel
download-sooner = Sooner
download-later = Later
download-peers = { $peers ->
    [one] 1 other player connected, { $bytes } sent
   *[other] { $peers } other players connected, { $bytes } sent
}
job-install = Install
job-update = Update
job-repair = Repair
job-rollback = Back to the version before
job-uninstall = Removal
stage-check = Check
stage-download = Download
stage-verify = Unpack and verify
stage-apply = Apply
pace-told = Network { $network }, disk { $disk }
pace-network = Network
pace-disk = Disk
pace-most = Most
pace-upload = Sent
sources-told = Where the bytes came from
source-local = From this disk
source-lan = From your network
source-peers = From other players
source-web = From the studio
why-title = Why so slow?

settings-title = Settings
settings-sharing = Sharing
settings-limits = Speed
settings-limits-text = Without a limit it takes what your line gives, and yields to what else you do.
limit-download = Limit downloads
limit-upload = Limit what is sent
limit-background-download = Limit downloads while the window is in the background
limit-background-upload = Limit what is sent while the window is in the background
limit-playing-download = Limit downloads while a game runs
limit-value = { $limit }: how much
limit-unit = kB per second
settings-times = When
schedule = Download only between
schedule-from = From this time
schedule-to = To this time
rule-metered = Pause on a connection that costs by the byte
rule-battery = Pause without mains power
rule-playing = Pause while a game runs
settings-auto-update = Fetch updates by themselves
settings-folder = Games
settings-folder-text = Folder for new games
settings-folder-usual = The usual place
settings-look = Window
settings-language = Language
settings-theme = Colours
as-the-system = As the system has it
look-dark = Dark
look-light = Light
settings-zoom = Size of everything, in per cent
settings-animations = Animations
settings-minimised = Start without a window
settings-tray = Keep running when the window is closed
own-title = This program
own-version = Version { $release }
own-none = It does not update itself: newer versions come the way you installed it.
own-check = Check for updates
own-looking = Asking for a newer version …
own-working = Fetching the new version
own-newest = You have the newest version.
own-offered = Version { $release } is there.
own-update = Update to version { $release }
own-ready = Version { $release } runs from the next start on.
own-restart = Restart now
own-refused = Version { $release } is there, but it did not start here. The next one will be tried.
own-back = Go back to version { $release }
own-back-waits = it is busy with updates just now.
legend = { $name }: { $value }

preflight-install = Install { $name }
preflight-update = Update { $name }
preflight-folder = Folder
choose-folder = Choose a folder
choose-from-list = Choose …
no-chooser = This desktop offers no list of folders: type the folder.
preflight-where = Where is { $name }?
preflight-move = Say where the game is now, or where it should go. What is in that folder already is checked and used; the old folder stays as it is.
preflight-use-folder = Use this folder
preflight-costs = What it takes
preflight-asking = Working it out …
preflight-lacks = { $bytes } are missing on this disk. Choose another folder, or make room.
preflight-back = You can go back afterwards without downloading anything.
preflight-rollback = { $name }: go back to the version before
preflight-rollback-text = It asks nobody and needs no network. What it replaces is kept, so the update afterwards downloads nothing either.
preflight-release = Install version { $release } of { $name }
preflight-release-text = You stay on it: no update comes until you choose otherwise.
preflight-leads-to = Back to version { $release }
cost-nothing = Nothing
preflight-not-now = Not now
cost-size = Size of the game
cost-download = To download
cost-space = Space needed while it works
cost-free = Free on this disk
cost-written = To write
cost-files = Files to write
cost-time = Time
cost-time-range = { $least } to { $most }
notes-title = What is new in { $release }
receipt-title = The last update, to { $release }
receipt-received = Downloaded
receipt-saved = Saved because only what differs was fetched
receipt-sent = Sent to other players meanwhile
receipt-time = Time
authentic-title = Is it the real one?
authentic-text = Every file is compared with a list that the studio has signed before it is used.
authentic-keys = { $count ->
    [one] Its releases are signed with the key { $keys }, which version { $root } of the studio’s key file names.
   *[other] Its releases are signed with { $needed } of the keys { $keys }, which version { $root } of the studio’s key file names.
}
authentic-checked = { $good } of { $files } files verified
authentic-unchecked = All files were verified when they were installed. “Check and repair” looks at every one again.
game-stay = Stay on this version
game-look-ahead = What changes

versions-title = Versions of { $name }
versions-back = Back to the game
versions-asking = Asking what versions there are …
versions-busy = While something is going on with this game, no other version can be chosen.
versions-channels = Channel
versions-channels-text = A channel is what updates follow. Most players follow “stable”; others may get versions earlier, and less tested.
versions-channel = { $channel }: version { $release }
versions-pinned = You stay on version { $release } for now, whichever channel is chosen.
versions-take = Install and stay
channel-same = You have it.
channel-ready = You follow it; an update is ready.
channel-update = Brings an update when you choose it.
channel-older = Older than yours: you keep yours until this channel has a newer one.
channel-halted = Stopped by the studio for now: you keep yours.
version-title = Version { $release }
version-here = Installed
version-channels = Newest of { $channels }
version-kept = What going back takes is kept on this computer: nothing is downloaded.
version-back = Go back
version-back-to = Go back to version { $release }
version-take-named = Install version { $release } and stay
