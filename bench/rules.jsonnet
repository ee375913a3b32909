// The rule files of a fleet, as rules.py and templates/rules/group.yaml.j2 make them.
// `fleet` holds what they read of the declaration (peers.py): no runbooks, already sorted into groups.
function(fleet, yaml=false)
  local d = std.parseJson(fleet);
  local recorded(name) = 'alert:' + name + ':query';
  local threshold(level) = if 'above' in level then ' > ' + level.above else ' < ' + level.below;
  local rule(name, alert, severity) =
    local level = alert.levels[severity];
    {
      alert: name,
      expr: recorded(name) + threshold(level),
      'for': level['for'],
      labels: {
        severity: severity,
        service: alert.service,
        team: d.teams[alert.service],
        cluster: d.cluster,
        namespace: d.namespace,
      },
      annotations: {
        summary: alert.summary,
        description: alert.description,
        runbook_url: d.runbooks + '/' + name,
      },
    };
  local file(name) = {
    groups: [{
      name: name,
      interval: d.interval,
      rules: [
        { record: recorded(alert), expr: d.groups[name][alert].query }
        for alert in std.objectFields(d.groups[name])
      ] + [
        rule(alert, d.groups[name][alert], severity)
        for alert in std.objectFields(d.groups[name])
        for severity in std.objectFields(d.groups[name][alert].levels)
      ],
    }],
  };
  {
    [name + '.yaml']: if yaml then std.manifestYamlDoc(file(name), quote_keys=false) else file(name)
    for name in std.objectFields(d.groups)
  }
