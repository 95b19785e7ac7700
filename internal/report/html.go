package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/arpagate/arpagate/internal/doctor"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// page is what the template is given.
type page struct {
	*sheet
	Style template.CSS
	// Policy lets the browser use the style above and nothing else (CSP level 2).
	Policy string
}

// HTML writes the report as one file that needs no other, asks nobody and runs
// no script. It holds everything: records in all formats, the ticket, and every
// question with its answer.
func HTML(w io.Writer, x *doctor.Examination, o Options) error {
	o.Format, o.Ticket, o.Verbose = "all", true, true
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("report: html: %w", err)
	}
	sum := sha256.Sum256([]byte(pageCSS))
	p := page{
		sheet: newSheet(x, o), Style: template.CSS(pageCSS),
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'",
	}
	return t.Execute(w, p)
}
