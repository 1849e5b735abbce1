package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"plumbline/internal/check"
)

// published is what the module is called while the test publishes it, on a name that nobody has.
var published = module.Version{Path: "plumbline.example/plumbline", Version: "v0.1.0"}

// TestAnotherModuleUsesIt publishes a copy of the module under another path, on a module proxy that
// is a folder, and uses it as others will: a test of another module judges recordings, go install
// makes the command, go doc shows its pages. It compiles everything anew: .ci/run asks for it.
func TestAnotherModuleUsesIt(t *testing.T) {
	if !*check.Long {
		t.Skip("takes minutes: run with -long")
	}
	user := publish(t)
	user.must("mod", "init", "user.example/kernels")
	user.must("get", published.Path+"/golden@"+published.Version)
	user.write("kernels_test.go", usersTest)
	for name, from := range map[string]string{
		"right/decode.safetensors": "rope-plain-bf16.safetensors",
		"wrong.safetensors":        "invalid/rope-table-one-pair.position-off-by-one.safetensors",
	} {
		recording, err := os.ReadFile(filepath.Join("../../golden/testdata", from))
		user.done(err)
		user.write(name, string(recording))
	}
	t.Run("a right recording passes", func(t *testing.T) {
		user.says(t, "test -v -run TestRight .", "--- PASS: TestRight/decode.safetensors")
	})
	t.Run("a wrong one fails with the sentence", func(t *testing.T) {
		user.says(t, "test -run TestWrong .", "--- FAIL: TestWrong", "unexplained   wrong.safetensors",
			"position-off-by-one (R19): positions are one too large")
	})
	t.Run("go install makes the command, which says its version", func(t *testing.T) {
		user.says(t, "install "+published.Path+"/cmd/plumbline@"+published.Version)
		said, err := exec.Command(filepath.Join(user.bin, "plumbline"), "version").CombinedOutput()
		if err != nil || !strings.HasPrefix(string(said), "plumbline v0.1.0, go") {
			t.Errorf("%s%v", said, err)
		}
	})
	t.Run("go doc has its pages", func(t *testing.T) {
		user.says(t, "doc "+published.Path+"/golden", "Package golden holds the recordings", "func CheckDir(")
	})
}

const usersTest = `package kernels

import (
	"testing"

	"plumbline.example/plumbline/golden"
)

func TestRight(t *testing.T) { golden.CheckDir(t, "right") }
func TestWrong(t *testing.T) { golden.Check(t, "wrong.safetensors") }
`

// A user is somebody with an empty folder who reaches the proxy.
type user struct {
	*testing.T
	folder, bin string
	env         []string
}

// publish puts the module onto a proxy, and returns somebody who uses it. What it requires comes
// from what Go has downloaded before; the user's own downloads are kept apart, since those of a
// version are never looked at again.
func publish(t *testing.T) *user {
	t.Helper()
	u := &user{T: t, folder: t.TempDir(), bin: t.TempDir()}
	copied, proxy := t.TempDir(), t.TempDir()
	u.copyModule("../..", copied)
	if _, err := set(copied, published.Path); err != nil {
		t.Fatal(err)
	}
	u.pack(copied, filepath.Join(proxy, published.Path, "@v"))
	downloaded, err := exec.Command("go", "env", "GOMODCACHE").Output()
	u.done(err)
	u.env = append(os.Environ(), "GOPROXY="+address(proxy)+","+
		address(filepath.Join(strings.TrimSpace(string(downloaded)), "cache/download"))+",off",
		"GOSUMDB=off", "GOWORK=off", "GOTOOLCHAIN=local", "GOMODCACHE="+t.TempDir(), "GOBIN="+u.bin,
		"GOFLAGS=-modcacherw -trimpath") // the same program wherever the downloads are: it is compiled once
	return u
}

func address(folder string) string {
	return "file://" + path.Join("/", filepath.ToSlash(folder))
}

// copyModule copies what is published of a module.
func (u *user) copyModule(from, to string) {
	u.Helper()
	u.done(fs.WalkDir(os.DirFS(from), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && built[d.Name()]:
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o600)
	}))
}

// pack writes a module into the folder of a proxy that holds its versions. It refuses what a proxy
// refuses: too large a module, and file names that not all systems have.
func (u *user) pack(module, versions string) {
	u.Helper()
	u.done(os.MkdirAll(versions, 0o700))
	mod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	u.done(err)
	packed, err := os.Create(filepath.Join(versions, published.Version+".zip"))
	u.done(err)
	u.done(zip.CreateFromDir(packed, published, module))
	u.done(packed.Close())
	for ending, text := range map[string]string{
		".info": `{"Version":"` + published.Version + `","Time":"2026-01-01T00:00:00Z"}`, ".mod": string(mod),
	} {
		u.done(os.WriteFile(filepath.Join(versions, published.Version+ending), []byte(text), 0o600))
	}
	u.done(os.WriteFile(filepath.Join(versions, "list"), []byte(published.Version+"\n"), 0o600))
}

func (u *user) done(err error) {
	u.Helper()
	if err != nil {
		u.Fatal(err)
	}
}

func (u *user) write(name, text string) {
	u.Helper()
	file := filepath.Join(u.folder, name)
	u.done(os.MkdirAll(filepath.Dir(file), 0o700))
	u.done(os.WriteFile(file, []byte(text), 0o600))
}

// run runs the go command in the user's folder.
func (u *user) run(args ...string) (said string, err error) {
	command := exec.Command("go", args...)
	command.Dir, command.Env = u.folder, u.env
	out, err := command.CombinedOutput()
	return string(out), err
}

func (u *user) must(args ...string) {
	u.Helper()
	if said, err := u.run(args...); err != nil {
		u.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, said)
	}
}

// says runs a go command that must say something; whether it fails is part of that.
func (u *user) says(t *testing.T, command string, want ...string) {
	t.Helper()
	said, _ := u.run(strings.Fields(command)...)
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("go %s: %q is missing in\n%s", command, w, said)
		}
	}
}
