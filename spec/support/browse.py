"""Headless Chromium as a spec drives it: browse.py URL [--shot FILE.png] EXPRESSION...

Each expression of JavaScript is tried in the page until it is true. Fails, with what the page shows, if one never is."""

import asyncio
import base64
import json
import re
import subprocess
import sys
import tempfile
import urllib.request

import websockets

SECONDS = 40


class Page:
    def __init__(self, socket):
        self.socket, self.number = socket, 0

    async def call(self, method, **params):
        self.number += 1
        await self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(await self.socket.recv())
            if answer.get("id") == self.number:
                return answer.get("result", answer)

    async def value_of(self, expression):
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer.get("result", {}).get("value")


async def browse(port, url, shot, expressions):
    new = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
    with urllib.request.urlopen(new) as answer:
        target = json.load(answer)
    async with websockets.connect(target["webSocketDebuggerUrl"], max_size=None) as socket:
        page = Page(socket)
        await page.call("Page.navigate", url=url)
        for expression in expressions:
            for _ in range(SECONDS * 10):
                if await page.value_of(expression):
                    break
                await asyncio.sleep(0.1)
            else:
                sys.exit(f"never true: {expression}\n{await page.value_of('document.documentElement.innerText')}")
        if shot:
            answer = await page.call("Page.captureScreenshot", format="png")
            with open(shot, "wb") as file:
                file.write(base64.b64decode(answer["data"]))


def main(url, *words):
    shot = words[1] if words and words[0] == "--shot" else None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0",
             "--remote-allow-origins=*", "--window-size=1100,1080", "--user-data-dir=" + folder, "about:blank"],
            stderr=subprocess.PIPE, text=True)
        try:
            for line in browser.stderr:
                found = re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line)
                if found:
                    break
            else:
                sys.exit("chromium does not start")
            asyncio.run(browse(int(found[1]), url, shot, words[2:] if shot else words))
        finally:
            browser.kill()
            browser.wait()


main(*sys.argv[1:])
