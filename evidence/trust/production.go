package trust

import (
	"fmt"
	"strings"
)

// productionFirstLine starts a production statement. No head and no package statement has it.
const productionFirstLine = "exhibit production v1"

// A ProductionStatement is what package.note of a production signs: that the bag with this tagmanifest is a production of the case that this head
// commits to (docs/container.md, 13.5). Who signs it vouches for the production and not for the case.
type ProductionStatement PackageStatement

// Text returns the text to sign, as that of a [PackageStatement] but for the first line: "exhibit production v1".
func (p ProductionStatement) Text() (string, error) {
	text, err := PackageStatement(p).Text()
	if err != nil {
		return "", err
	}
	return productionFirstLine + strings.TrimPrefix(text, packageFirstLine), nil
}

// ParseProductionStatement reads the text of a verified note and accepts only what [ProductionStatement.Text] writes.
func ParseProductionStatement(text string) (ProductionStatement, error) {
	rest, ok := strings.CutPrefix(text, productionFirstLine+"\n")
	if !ok {
		first, _, _ := strings.Cut(text, "\n")
		return ProductionStatement{}, fmt.Errorf("malformed production statement: first line %q, want %q", clip(first), productionFirstLine)
	}
	p, err := ParsePackageStatement(packageFirstLine + "\n" + rest)
	return ProductionStatement(p), err
}
