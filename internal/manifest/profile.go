package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"twinbridge/twin"
)

// ProfileDevice is a device with its state, for [Profile].
type ProfileDevice struct {
	Device           *twin.Resolved
	Expected, Actual map[string]twin.Value // absent ones are left out
}

// Profile gives deviceProfile.json, the file that KubeEdge's mappers before v1.12 read their devices from. Ids are
// "namespace/name", which makes such a mapper speak the topics of today without knowing them. Devices are sorted.
func Profile(devices []ProfileDevice) ([]byte, error) {
	p := profile{DeviceInstances: []instance{}, DeviceModels: []profileModel{}, Protocols: []protocol{}}
	sorted := slices.Clone(devices)
	slices.SortFunc(sorted, func(a, b ProfileDevice) int { return a.Device.Name.Compare(b.Device.Name) })
	models := map[string][]byte{}
	for i := range sorted {
		d := &sorted[i]
		wires, name, err := splitProtocol(d.Device)
		if err != nil {
			return nil, fmt.Errorf("device %s: protocol: %w", d.Device.Name, err)
		}
		m := modelOf(d.Device)
		text, err := json.Marshal(m.Properties)
		if err != nil {
			return nil, fmt.Errorf("device %s: model: %w", d.Device.Name, err)
		}
		if known, ok := models[m.Name]; ok && !bytes.Equal(known, text) {
			// Its properties are its own, and the mapper looks them up in the model. No other model has such a name.
			m.Name = "device/" + d.Device.Name.String()
		}
		inst, err := d.instance(name, m.Name)
		if err != nil {
			return nil, fmt.Errorf("device %s: %w", d.Device.Name, err)
		}
		p.DeviceInstances = append(p.DeviceInstances, inst)
		if name != "" {
			p.Protocols = append(p.Protocols, wires)
		}
		if models[m.Name] == nil {
			models[m.Name] = text
			p.DeviceModels = append(p.DeviceModels, m)
		}
	}
	out, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode device profile: %w", err)
	}
	return append(out, '\n'), nil
}

// The types follow KubeEdge's mappers field by field.
type profile struct {
	DeviceInstances []instance     `json:"deviceInstances"`
	DeviceModels    []profileModel `json:"deviceModels"`
	Protocols       []protocol     `json:"protocols"`
}

type instance struct {
	ID               string            `json:"id"`
	Name             string            `json:"name"`
	Protocol         string            `json:"protocol,omitempty"`
	Model            string            `json:"model"`
	Twins            []profileTwin     `json:"twins"`
	PropertyVisitors []propertyVisitor `json:"propertyVisitors,omitempty"`
}

type profileTwin struct {
	PropertyName string    `json:"propertyName"`
	Desired      twinValue `json:"desired"`
	Reported     twinValue `json:"reported"`
}

type twinValue struct {
	Value    string `json:"value"`
	Metadata struct {
		Type string `json:"type"`
	} `json:"metadata"`
}

type propertyVisitor struct {
	Name             string          `json:"name"`
	PropertyName     string          `json:"propertyName"`
	ModelName        string          `json:"modelName"`
	CollectCycle     int64           `json:"collectCycle,omitempty"` // ns
	ReportCycle      int64           `json:"reportCycle,omitempty"`
	CustomizedValues json.RawMessage `json:"customizedValues,omitempty"`
	Protocol         string          `json:"protocol"`
	VisitorConfig    json.RawMessage `json:"visitorConfig"`
}

type profileModel struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Properties  []profileProperty `json:"properties"`
}

type profileProperty struct {
	Name        string   `json:"name"`
	DataType    string   `json:"dataType"`
	Description string   `json:"description,omitempty"`
	AccessMode  string   `json:"accessMode"`
	Minimum     *float64 `json:"minimum,omitempty"`
	Maximum     *float64 `json:"maximum,omitempty"`
	Unit        string   `json:"unit,omitempty"`
}

type protocol struct {
	Name                 string          `json:"name"`
	Protocol             string          `json:"protocol"`
	ProtocolConfig       json.RawMessage `json:"protocolConfig"`
	ProtocolCommonConfig json.RawMessage `json:"protocolCommonConfig"`
}

var profileTypes = map[twin.Type]string{twin.Bool: "boolean", twin.Int: "int", twin.Float: "float", twin.String: "string"}

func (d *ProfileDevice) instance(protocolName, model string) (instance, error) {
	r := d.Device
	inst := instance{ID: r.Name.String(), Name: r.Name.Name, Protocol: protocolName, Model: model, Twins: []profileTwin{}}
	// A mapper refuses a twin without visitor; a device that has none at all is of a mapper that knows its hardware.
	visited := slices.ContainsFunc(r.Props, func(p twin.Property) bool { return len(p.Visitor.Config) > 0 })
	for i := range r.Props {
		p := &r.Props[i]
		if visited && len(p.Visitor.Config) == 0 {
			continue
		}
		t := profileTwin{PropertyName: p.Name}
		t.Desired.Value, t.Reported.Value = d.Expected[p.Name].Text(), d.Actual[p.Name].Text()
		t.Desired.Metadata.Type, t.Reported.Metadata.Type = profileTypes[p.Type], profileTypes[p.Type]
		inst.Twins = append(inst.Twins, t)
		if !visited {
			continue
		}
		v, err := visitorOf(r, p, model)
		if err != nil {
			return instance{}, fmt.Errorf("property %s: visitor: %w", p.Name, err)
		}
		inst.PropertyVisitors = append(inst.PropertyVisitors, v)
	}
	return inst, nil
}

func visitorOf(r *twin.Resolved, p *twin.Property, model string) (propertyVisitor, error) {
	v := propertyVisitor{
		Name: p.Name, PropertyName: p.Name, ModelName: model,
		CollectCycle: int64(p.CollectCycle), ReportCycle: int64(p.ReportCycle),
	}
	config, err := object(p.Visitor.Config)
	if err != nil {
		return v, err
	}
	v.CustomizedValues = take(config, "customizedValues")
	v.Protocol, v.VisitorConfig, err = wrap(cmp.Or(p.Visitor.Protocol, r.Driver.Protocol), config)
	return v, err
}

func modelName(r *twin.Resolved) string {
	n := r.Model
	if n.IsZero() {
		n = r.Name
	}
	if n.Namespace == twin.DefaultNamespace {
		return n.Name
	}
	return n.String()
}

func modelOf(r *twin.Resolved) profileModel {
	m := profileModel{Name: modelName(r), Properties: []profileProperty{}}
	for i := range r.Props {
		p := &r.Props[i]
		m.Properties = append(m.Properties, profileProperty{
			Name: p.Name, DataType: profileTypes[p.Type], Description: p.Description, AccessMode: p.Access.String(),
			Minimum: p.Min, Maximum: p.Max, Unit: p.Unit,
		})
	}
	return m
}

// splitProtocol gives the protocols[] entry of a device and its name; "" if the device has no protocol.
func splitProtocol(r *twin.Resolved) (protocol, string, error) {
	if r.Driver.Protocol == "" {
		return protocol{}, "", nil
	}
	config, err := object(r.Driver.Config)
	if err != nil {
		return protocol{}, "", err
	}
	common, err := commonPart(r.Driver.Protocol, config)
	if err != nil {
		return protocol{}, "", err
	}
	p := protocol{ProtocolCommonConfig: common}
	if p.Protocol, p.ProtocolConfig, err = wrap(r.Driver.Protocol, config); err != nil {
		return protocol{}, "", err
	}
	p.Name = p.Protocol + "-" + r.Name.Name
	if r.Name.Namespace != twin.DefaultNamespace {
		p.Name = p.Protocol + "-" + r.Name.String()
	}
	return p, p.Name, nil
}

// commonPart takes what v1alpha2 has under common; v1beta1 writes Modbus' line or address flat beside the slave's id.
func commonPart(name string, config map[string]json.RawMessage) (json.RawMessage, error) {
	if c := take(config, "common"); c != nil {
		return c, nil
	}
	common := map[string]json.RawMessage{}
	for _, k := range []string{"com", "tcp"} {
		if v := take(config, k); v != nil {
			common[k] = v
		}
	}
	if name == "modbus" {
		for group, keys := range map[string][]string{
			"tcp": {"ip", "port"}, "com": {"serialPort", "baudRate", "dataBits", "parity", "stopBits"},
		} {
			part := map[string]json.RawMessage{}
			for _, k := range keys {
				if v := take(config, k); v != nil {
					part[k] = v
				}
			}
			if len(part) == 0 || common[group] != nil {
				continue
			}
			// Written as a text in newer manifests, read as a number by the mapper.
			if s, err := strconv.Unquote(string(part["port"])); err == nil {
				if n, err := strconv.ParseUint(s, 10, 16); err == nil {
					part["port"] = strconv.AppendUint(nil, n, 10)
				}
			}
			b, err := json.Marshal(part)
			if err != nil {
				return nil, err
			}
			common[group] = b
		}
	}
	return json.Marshal(common)
}

// wrap gives a configuration as old mappers have it: the three protocols that v1alpha2 knows by name as they are, any
// other as customized-protocol.
func wrap(name string, config map[string]json.RawMessage) (string, json.RawMessage, error) {
	switch name {
	case "modbus", "opcua", "bluetooth":
		b, err := json.Marshal(config)
		return name, b, err
	}
	b, err := json.Marshal(struct {
		ProtocolName string                     `json:"protocolName"`
		ConfigData   map[string]json.RawMessage `json:"configData"`
	}{name, config})
	return "customized-protocol", b, err
}

func object(raw json.RawMessage) (map[string]json.RawMessage, error) {
	m := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(raw)) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	return m, nil
}

func take(m map[string]json.RawMessage, key string) json.RawMessage {
	v := m[key]
	delete(m, key)
	return v
}
