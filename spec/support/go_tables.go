// What Go makes of the cases of go_tables_spec.lua: a line "kind input" in, whose input is in hexadecimal digits, and a line out.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A file of so many bytes: "10 bytes=0-4".
func part(input string) string {
	size, header, _ := strings.Cut(input, " ")
	n, _ := strconv.Atoi(size)
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("Range", header)
	answer := httptest.NewRecorder()
	http.ServeContent(answer, request, "x.bin", time.Time{}, bytes.NewReader(make([]byte, n)))
	switch {
	case answer.Code == 200:
		return "whole"
	case answer.Code == 416:
		return "none"
	case strings.HasPrefix(answer.Header().Get("Content-Type"), "multipart/"):
		return "several"
	}
	span, _, _ := strings.Cut(strings.TrimPrefix(answer.Header().Get("Content-Range"), "bytes "), "/")
	return span
}

func cookies(input string) string {
	request := http.Request{Header: http.Header{"Cookie": {input}}}
	list := []string{}
	for _, one := range request.Cookies() {
		list = append(list, one.Name+"="+one.Value)
	}
	sort.Strings(list)
	return fmt.Sprintf("%x", strings.Join(list, "\n"))
}

// name, value, path, domain, what SameSite is, a line each
func setCookie(input string) string {
	words := strings.Split(input, "\n")
	sites := map[string]http.SameSite{"Lax": http.SameSiteLaxMode, "Strict": http.SameSiteStrictMode}
	one := http.Cookie{Name: words[0], Value: words[1], Path: words[2], Domain: words[3],
		SameSite: sites[words[4]], HttpOnly: true}
	return fmt.Sprintf("%x", one.String())
}

// name, filename and body of each; those before an error are not told.
func parts(input string) string {
	reader, list := multipart.NewReader(strings.NewReader(input), "b"), []string{}
	for {
		one, err := reader.NextRawPart()
		if err == io.EOF {
			return fmt.Sprintf("%x", strings.Join(list, "\n"))
		} else if err != nil {
			return "malformed"
		}
		body, err := io.ReadAll(one)
		if err != nil {
			return "malformed"
		}
		list = append(list, fmt.Sprintf("%s|%s|%s", one.FormName(), one.FileName(), body))
	}
}

func boundary(input string) string {
	kind, parameters, err := mime.ParseMediaType(input)
	if err != nil || !strings.HasPrefix(kind, "multipart/") || parameters["boundary"] == "" {
		return "malformed"
	}
	return fmt.Sprintf("%x", parameters["boundary"])
}

func main() {
	kinds := map[string]func(string) string{
		"range": part, "cookies": cookies, "set_cookie": setCookie, "multipart": parts, "boundary": boundary}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		kind, digits, _ := strings.Cut(lines.Text(), " ")
		input, err := hex.DecodeString(digits)
		if err != nil {
			panic(err)
		}
		fmt.Println(kinds[kind](string(input)))
	}
}
