using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Notify.IntegrationTests.Brokers;
using Notify.IntegrationTests.Databases;
using Notify.IntegrationTests.RabbitMq;
using Npgsql;

namespace Notify.IntegrationTests.Containers;

/// <summary>
/// Runs the image with what docker-compose.yml gives it and what secrets/make makes. SQL Server's place is taken by PostgreSQL, for it cannot be installed where the tests run, and ports by free ones.
/// </summary>
public sealed class ComposeTests(PublishedImage published, SharedBrokers brokers, SharedDatabases databases)
{
    private const string Subject = "mailto:ops@example.com";
    private const string User = "notify";

    private readonly ComposeFile _compose = ComposeFile.Read();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_database_is_migrated_and_the_service_becomes_ready_with_every_setting_in_force()
    {
        using var secrets = await SecretFiles.MakeAsync(Subject);
        Assert.Equal(_compose.Secrets.Keys.Order(StringComparer.Ordinal), secrets.Names.Order(StringComparer.Ordinal));
        var values = secrets.Names.Where(name => name is not ("Notify__Vapid__PublicKey" or "Notify__Vapid__Subject" or "rabbitmq.conf")).Select(secrets.Read).ToList();
        var virtualHost = await UseBrokerAsync(secrets);
        var database = await databases.NewPostgreSqlDatabaseAsync();
        secrets.Change("ConnectionStrings__Notify", secrets.Read("ConnectionStrings__Notify"), database);
        using var container = await StartedOnAsync(secrets);
        var onPostgreSql = new Dictionary<string, string> { ["Notify__Store"] = "PostgreSql" };

        await using var migrate = await WorkerProcess.RunAsync(container.Command("migrate", onPostgreSql));
        Assert.True(migrate.ExitCode == 0, string.Join('\n', migrate.Lines));

        await using var worker = await WorkerProcess.StartAsync(container.Command("notify", onPostgreSql));
        Assert.Equal(0, await RunAsync(HealthCheckOf("notify", container.Port)));
        Assert.NotEqual(0, await RunAsync([.. HealthCheckOf("notify", container.Port).Select(word => word.Replace("/health/ready", "/health/nothing", StringComparison.Ordinal))]));

        // As the image and the compose file have it, and not merely as this machine allows it.
        var status = (await File.ReadAllLinesAsync($"/proc/{worker.Id}/status", Cancellation)).Select(line => line.Split(':', 2)).ToDictionary(line => line[0], line => line[1].Trim());
        Assert.All(status["Uid"].Split('\t').Concat(status["Gid"].Split('\t')), id => Assert.Equal("1654", id));
        Assert.Equal(("0000000000000000", "0000000000000000", "1"), (status["CapEff"], status["CapBnd"], status["NoNewPrivs"]));
        Assert.Contains(" / overlay ro,", (await File.ReadAllLinesAsync($"/proc/{worker.Id}/mounts", Cancellation))[0], StringComparison.Ordinal);

        // Production, by the image's build.
        Assert.DoesNotContain(worker.Lines, line => line.Contains("5081", StringComparison.Ordinal));
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{container.Port}/") };
        using var stranger = new HttpRequestMessage(HttpMethod.Get, "api/subscriptions") { Headers = { { "X-Notify-User", "ada" } } };
        using var refused = await http.SendAsync(stranger, Cancellation);
        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, refused.StatusCode);

        // Its setting each: the pair, the signing key, the broker with its user, the database and the encryption key, the subject.
        Assert.Equal(secrets.Read("Notify__Vapid__PublicKey"), (await http.GetFromJsonAsync<JsonElement>("api/vapid-public-key", Cancellation)).GetProperty("publicKey").GetString());
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TokenBy(secrets.Read("Notify__Auth__SigningKey")));
        Assert.Equal("[]", await http.GetStringAsync("api/subscriptions", Cancellation));
        var management = (await brokers.GetAsync(RabbitMqVersion.V4)).Management;
        Assert.Contains(await management.QueuesAsync(virtualHost), queue => queue.Name == "user-fanout");
        Assert.Equal(1L, await ScalarAsync(database, """SELECT count(*) FROM "EncryptionKeys" """));
        await using var check = await WorkerProcess.RunAsync(container.Command("notify", onPostgreSql, "vapid", "check"));
        Assert.True(check.ExitCode == 0, string.Join('\n', check.Lines));

        await worker.StopAsync();
        Assert.Equal(0, worker.ExitCode);
        Assert.All(values, value => Assert.DoesNotContain(migrate.Lines.Concat(worker.Lines).Concat(check.Lines), line => line.Contains(value, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_SQL_Server_that_is_not_there_is_said_to_be_away()
    {
        using var secrets = await SecretFiles.MakeAsync(Subject);
        var password = secrets.Read("sqlserver-password");
        using var container = await StartedOnAsync(secrets);
        var closed = await LoopbackPorts.UseAsync(1, ports => Task.FromResult(ports[0]));
        secrets.Change("ConnectionStrings__Notify", "Server=sqlserver;", $"Server=sqlserver,{closed};");

        var ends = await Task.WhenAll(WorkerProcess.RunAsync(container.Command("migrate", [])), WorkerProcess.RunAsync(container.Command("notify", [])));

        foreach (var worker in ends)
        {
            await using (worker)
            {
                Assert.Equal(1, worker.ExitCode);
                Assert.Contains(worker.Lines, line => line.StartsWith("The database is away", StringComparison.Ordinal));
                Assert.DoesNotContain(worker.Lines, line => line.Contains("change its configuration", StringComparison.Ordinal) || line.Contains("present settings", StringComparison.Ordinal));
                Assert.DoesNotContain(worker.Lines, line => line.Contains(password, StringComparison.Ordinal));
            }
        }
    }

    [Fact]
    public async Task Secrets_are_made_once_for_the_containers_alone_to_read()
    {
        using var secrets = await SecretFiles.MakeAsync(Subject);
        var made = secrets.Names.ToDictionary(name => name, secrets.Read);

        Assert.NotEqual(0, await secrets.MakeAgainAsync(Subject));
        Assert.Equal(made, secrets.Names.ToDictionary(name => name, secrets.Read));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(secrets.Folder));
            foreach (var name in made.Keys)
            {
                Assert.True(File.GetUnixFileMode(Path.Combine(secrets.Folder, name)).HasFlag(UnixFileMode.OtherRead), name);
            }
        }

        // The same user and passwords for both ends.
        Assert.Equal($"default_user = {User}\ndefault_pass = {PasswordOf(secrets)}", made["rabbitmq.conf"]);
        Assert.Contains($"Password={made["sqlserver-password"]};", made["ConnectionStrings__Notify"], StringComparison.Ordinal);
        Assert.Contains($"Server={_compose.Services.Keys.Single(name => name == "sqlserver")};", made["ConnectionStrings__Notify"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task SQL_Server_gets_its_password_from_the_file()
    {
        using var secrets = await SecretFiles.MakeAsync(Subject);
        var words = _compose.Services["sqlserver"].Entrypoint
            .Select(word => word.Replace("/run/secrets", secrets.Folder, StringComparison.Ordinal).Replace("/opt/mssql/bin/sqlservr", "printenv MSSQL_SA_PASSWORD", StringComparison.Ordinal));

        using var shell = Process.Start(new ProcessStartInfo(words.First(), words.Skip(1)) { RedirectStandardOutput = true })!;
        Assert.Equal(secrets.Read("sqlserver-password"), (await shell.StandardOutput.ReadToEndAsync(Cancellation)).TrimEnd());
    }

    // The user of the connection string, with a virtual host of the test's own.
    private async Task<string> UseBrokerAsync(SecretFiles secrets)
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var virtualHost = uri.AbsolutePath[1..];
        await (await brokers.GetAsync(RabbitMqVersion.V4)).Management.CreateUserAsync(User, PasswordOf(secrets), virtualHost);
        secrets.Change("ConnectionStrings__RabbitMq", "@rabbitmq:5672/", $"@rabbitmq:{uri.Port}/{virtualHost}");
        return virtualHost;
    }

    private static string PasswordOf(SecretFiles secrets) => new Uri(secrets.Read("ConnectionStrings__RabbitMq")).UserInfo.Split(':')[1];

    private async Task<Container> StartedOnAsync(SecretFiles secrets) =>
        new(await published.GetAsync(), _compose, secrets) { Port = await LoopbackPorts.UseAsync(1, ports => Task.FromResult(ports[0])) };

    private IReadOnlyList<string> HealthCheckOf(string name, int port)
    {
        var service = _compose.Services[name];
        return [.. service.HealthCheck.Select(word => word.Replace($"/{service.Ports[0][2]} ", string.Create(CultureInfo.InvariantCulture, $"/{port} "), StringComparison.Ordinal))];
    }

    private static async Task<int> RunAsync(IReadOnlyList<string> words)
    {
        using var process = Process.Start(words[0], words.Skip(1));
        await process.WaitForExitAsync(Cancellation);
        return process.ExitCode;
    }

    private static string TokenBy(string signingKey) => new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
    {
        Subject = new ClaimsIdentity([new Claim("sub", "ada")]),
        Expires = DateTime.UtcNow.AddMinutes(5),
        SigningCredentials = new SigningCredentials(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(signingKey)), SecurityAlgorithms.HmacSha256),
    });

    private static async Task<object?> ScalarAsync(string database, string sql)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Cancellation);
    }
}
