// Asks a data source what Grafana would, in Grafana's way: starts the plugin, speaks its protocol, reads its frames.
//
//	ask PLUGIN HOST:PORT
//
// Reads queries from stdin, prints a line of JSON for each.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

// A query of a panel, or of an alert: format "alert".
type request struct {
	Where  string    `json:"where"`
	SQL    string    `json:"sql"`
	Format string    `json:"format"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
}

// What became of it. Kind: "wide" for series, "numbers" where Grafana's expressions take it, else "table".
type answer struct {
	Where string `json:"where"`
	Kind  string `json:"kind"`
	Rows  int    `json:"rows"`
	Error string `json:"error"`
}

func main() {
	plugins := plugin.NewClient(&plugin.ClientConfig{
		Cmd: exec.Command(os.Args[1]),
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  grpcplugin.ProtocolVersion,
			MagicCookieKey:   grpcplugin.MagicCookieKey,
			MagicCookieValue: grpcplugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{
			grpcplugin.ProtocolVersion: {"data": &grpcplugin.DataGRPCPlugin{}},
		},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Error}),
	})
	err := serve(plugins, os.Args[2])
	plugins.Kill()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(plugins *plugin.Client, host string) error {
	connection, err := plugins.Client()
	if err != nil {
		return err
	}
	raw, err := connection.Dispense("data")
	if err != nil {
		return err
	}
	settings, err := json.Marshal(map[string]any{"host": host, "secure": false, "token": "none"})
	if err != nil {
		return err
	}
	requests, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var asked request
		if err := requests.Decode(&asked); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		result := answer{Where: asked.Where}
		frame, err := ask(raw.(grpcplugin.DataClient), settings, asked)
		if err != nil {
			result.Error = err.Error()
		} else {
			result.Kind, result.Rows = kind(frame), frame.Rows()
		}
		if err := answers.Encode(result); err != nil {
			return err
		}
	}
}

func ask(client grpcplugin.DataClient, settings []byte, asked request) (*data.Frame, error) {
	format := asked.Format
	if format != "time_series" {
		format = "table"
	}
	model, err := json.Marshal(map[string]any{"refId": "A", "queryText": asked.SQL, "format": format, "intervalMs": 1000})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answered, err := client.QueryData(ctx, backend.ToProto().QueryDataRequest(&backend.QueryDataRequest{
		PluginContext: backend.PluginContext{
			OrgID:    1,
			PluginID: "tachy",
			DataSourceInstanceSettings: &backend.DataSourceInstanceSettings{
				ID: 1, UID: "tachy", Name: "tachy", JSONData: settings, Updated: time.Unix(1, 0),
			},
		},
		Queries: []backend.DataQuery{{
			RefID: "A", Interval: time.Second, JSON: model, TimeRange: backend.TimeRange{From: asked.From, To: asked.To},
		}},
	}))
	if err != nil {
		return nil, err
	}
	found, err := backend.FromProto().QueryDataResponse(answered)
	if err != nil {
		return nil, err
	}
	one := found.Responses["A"]
	if one.Error != nil {
		return nil, one.Error
	}
	if len(one.Frames) != 1 {
		return nil, fmt.Errorf("%d frames; a panel takes one", len(one.Frames))
	}
	return one.Frames[0], nil
}

// As Grafana's expressions judge a frame: a wide series, or a table of one number for each set of texts.
func kind(frame *data.Frame) string {
	if frame.TimeSeriesSchema().Type == data.TimeSeriesTypeWide {
		return "wide"
	}
	numbers, others := 0, 0
	for _, field := range frame.Fields {
		switch {
		case field.Type().Numeric():
			numbers++
		case field.Type().NonNullableType() != data.FieldTypeString:
			others++
		}
	}
	if numbers == 1 && others == 0 {
		return "numbers"
	}
	return "table"
}
