// Package browser drives a real browser in tests: Debian's Chromium, headless, by the WebDriver
// protocol (https://www.w3.org/TR/webdriver2/).
package browser

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Required is the environment variable that makes it an error that there is no browser: set where
// one has been installed for the tests.
const Required = "PLUMBLINE_BROWSER"

// patience is how long anything may take.
const patience = 2 * time.Minute

// Browser is a window of a browser. Whatever goes wrong in it fails the test.
type Browser struct {
	t       testing.TB
	session string // its address at the driver
	client  http.Client
}

// Start opens a browser for the length of a test. Without one the test is skipped.
func Start(t testing.TB) *Browser {
	t.Helper()
	driver, err := exec.LookPath("chromedriver")
	if err != nil {
		if os.Getenv(Required) != "" {
			t.Fatal("no chromedriver on PATH; Debian has it in the package chromium-driver")
		}
		t.Skip("no chromedriver on PATH (Debian package chromium-driver)")
	}
	b := &Browser{t: t, client: http.Client{Timeout: patience}}
	b.session = b.drive(driver)
	b.open()
	return b
}

var atPort = regexp.MustCompile(`started successfully on port (\d+)\.`)

// drive starts the driver and returns its address.
func (b *Browser) drive(driver string) string {
	b.t.Helper()
	command := exec.Command(driver, "--port=0")
	said, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	var text []byte
	for buffer := make([]byte, 4096); ; {
		n, err := said.Read(buffer)
		text = append(text, buffer[:n]...)
		if m := atPort.FindSubmatch(text); m != nil {
			go func() { _, _ = io.Copy(io.Discard, said) }()
			return "http://127.0.0.1:" + string(m[1])
		}
		if err != nil {
			b.t.Fatalf("chromedriver: %v, having said %q", err, text)
		}
	}
}

// flags keep Chromium off the network, and out of its sandbox, which it has not as root: the pages
// are the project's own.
var flags = []string{
	"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
	"--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
}

// open opens the window, which is closed after the test.
func (b *Browser) open() {
	b.t.Helper()
	wanted := map[string]any{"alwaysMatch": map[string]any{
		"goog:chromeOptions": map[string]any{"args": append(flags, "--user-data-dir="+b.t.TempDir())},
		"goog:loggingPrefs":  map[string]string{"browser": "ALL"},
	}}
	session, _ := b.call("POST", "/session", map[string]any{"capabilities": wanted}).(map[string]any)
	b.session += fmt.Sprint("/session/", session["sessionId"])
	b.t.Cleanup(func() { b.call("DELETE", "", nil) })
}

// call carries out one command of the protocol and returns its value.
func (b *Browser) call(method, path string, body any) any {
	b.t.Helper()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, b.session+path, sent)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	var said struct{ Value any }
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || answer.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s: %s %v %v", method, path, answer.Status, said.Value, err)
	}
	return said.Value
}

// Open goes to an address.
func (b *Browser) Open(url string) { b.t.Helper(); b.call("POST", "/url", map[string]any{"url": url}) }

// Run runs the body of a JavaScript function with these arguments and gives back what it returns.
func (b *Browser) Run(script string, args ...any) any {
	b.t.Helper()
	if args == nil {
		args = []any{}
	}
	return b.call("POST", "/execute/sync", map[string]any{"script": script, "args": args})
}

// Wait waits until an expression of JavaScript is true.
func (b *Browser) Wait(expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); b.Run("return Boolean("+expression+")") != true; {
		if time.Now().After(end) {
			b.t.Fatalf("waited %v for %s; the page says\n%v\nand its console\n%s", patience, expression,
				b.Run("return document.body.innerText"), strings.Join(b.Console(), "\n"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Text returns the text that a reader sees of the first element that a selector names.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	text, ok := b.Run("return document.querySelector(arguments[0])?.innerText", selector).(string)
	if !ok {
		b.t.Fatalf("the page has no %s", selector)
	}
	return text
}

// elementKey is what the protocol calls the reference to an element.
const elementKey = "element-6066-11e4-a52e-4f735466cecf"

// Choose chooses files in an <input type=file>, each by its absolute path.
func (b *Browser) Choose(selector string, paths ...string) {
	b.t.Helper()
	found := b.call("POST", "/element", map[string]any{"using": "css selector", "value": selector})
	element, _ := found.(map[string]any)
	b.call("POST", fmt.Sprintf("/element/%v/value", element[elementKey]), map[string]any{
		"text": strings.Join(paths, "\n"),
	})
}

// Picture returns what the window shows, as a PNG.
func (b *Browser) Picture() []byte {
	b.t.Helper()
	text, _ := b.call("GET", "/screenshot", nil).(string)
	picture, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return picture
}

// Console returns what the page's console says since the last call.
func (b *Browser) Console() (lines []string) {
	b.t.Helper()
	entries, _ := b.call("POST", "/se/log", map[string]any{"type": "browser"}).([]any)
	for _, e := range entries {
		if entry, ok := e.(map[string]any); ok {
			lines = append(lines, fmt.Sprint(entry["level"], " ", entry["message"]))
		}
	}
	return lines
}

// Resize makes the window so many pixels wide and high.
func (b *Browser) Resize(width, height int) {
	b.t.Helper()
	b.devtools("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
	})
}

// Prefer makes the browser ask for a colour scheme, light or dark.
func (b *Browser) Prefer(scheme string) {
	b.t.Helper()
	b.devtools("Emulation.setEmulatedMedia", map[string]any{
		"features": []any{map[string]string{"name": "prefers-color-scheme", "value": scheme}},
	})
}

// devtools carries out a command of Chromium's own protocol.
func (b *Browser) devtools(command string, parameters map[string]any) {
	b.t.Helper()
	b.call("POST", "/goog/cdp/execute", map[string]any{"cmd": command, "params": parameters})
}
