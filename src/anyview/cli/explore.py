"""``anyview explore RUN DATA``"""

import webbrowser

from anyview.api import explore
from anyview.cli.common import Parser, console, say_lines
from anyview.cli.encoder import ENCODER, elsewhere_options, load_encoder


def run(args: list[str]) -> int:
    p = Parser(
        "explore", "Look at the embeddings in the browser: a map, neighbours, and what each sample is."
    )
    p.add_argument("run", help=ENCODER)
    p.add_argument("data", help="a folder, a file, an address, or a named dataset, labelled or not")
    p.add_argument("--split", help="one split of data that has several (default: all on one map)")
    p.add_argument("--samples", type=int, default=5000, help="shown at most, drawn at random (default 5000)")
    p.add_argument("--seed", type=int, default=0, help="of the draw and of the map (default 0)")
    p.add_argument("--port", type=int, default=0, help="on this machine (default: any that is free)")
    p.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    elsewhere_options(p)
    found = p.parse_all(args)
    out, model = console(), load_encoder(found)
    with out.status("embedding, and drawing a map"):
        server = explore(
            model, found.data, split=found.split, samples=found.samples, seed=found.seed, port=found.port
        )
    page = server.page
    with server:
        say_lines(
            out,
            [
                ("map", f"{page.samples:,} {model.modality.unit} · {page.method} · {page.size / 1e6:.1f} MB"),
                ("open", f"{server.url} · on this machine only · Ctrl-C ends it"),
            ],
        )
        if not found.no_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            out.print("ended")
    return 0
