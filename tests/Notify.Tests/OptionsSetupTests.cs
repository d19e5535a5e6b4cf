using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Notify.WebPush;

namespace Notify.Tests;

public sealed class OptionsSetupTests
{
    [Fact]
    public void Outside_development_the_service_says_everything_that_is_missing_and_how_to_make_it()
    {
        var message = FailureOf("Production");

        Assert.Contains("Notify__Vapid__PublicKey", message, StringComparison.Ordinal);
        Assert.Contains("vapid generate", message, StringComparison.Ordinal);
        Assert.Contains("Notify__Vapid__Subject", message, StringComparison.Ordinal);
        Assert.Contains("Notify__Auth__SigningKey", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--Notify:Auth:SigningKey=short", "too short")]
    [InlineData("--Notify:Auth:PreviousSigningKeys:0=short", "Notify__Auth__PreviousSigningKeys__0 is too short")]
    [InlineData("--Notify:Auth:PreviousSigningKeys:0=0123456789abcdef0123456789abcdef", "set that too")]
    [InlineData("--Notify:Auth:Authority=https://login.example.com", "Audience")]
    [InlineData("--Notify:Auth:Authority=nowhere", "https URL")]
    [InlineData("--Notify:Sending:MaxAttempts=0", "Notify__Sending__MaxAttempts must be between 1 and 100.")]
    [InlineData("--Notify:Sending:Timeout=00:00:00", "Notify__Sending__Timeout must be between 00:00:00.1")]
    [InlineData("--Notify:Sending:MaxRetryDelay=00:00:00.5", "Notify__Sending__MaxRetryDelay must not be shorter")]
    [InlineData("--Notify:PushServices:Allowed:0=https://push.example.com/path", "not an origin")]
    [InlineData("--Notify:PushServices:Allowed:0=*", "neither a host")]
    [InlineData("--Notify:Vapid:Subject=ops@example.com", "mailto:")]
    [InlineData("--Notify:Vapid:PublicKey=BAAA", "PrivateKey")]
    [InlineData("--Notify:Vapid:Previous:0:PublicKey=BAAA", "Previous__0")]
    [InlineData("--Notify:Store=PostgreSql", "set ConnectionStrings__Notify")]
    [InlineData("--Notify:Store=SqlServer", "set ConnectionStrings__Notify")]
    [InlineData("--Notify:Store=MySql", "Notify__Store is 'MySql'; set one of Sqlite, SqlServer, PostgreSql.")]
    [InlineData("--Notify:Store=7", "set one of")]
    [InlineData("--Notify:Transport=", "Notify__Transport is ''; set one of InMemory, RabbitMq.")]
    [InlineData("--Notify:Sending:MaxAttempts=many", "Notify__Sending__MaxAttempts is 'many'; set a whole number.")]
    [InlineData("--Notify:Sending:Timeout=5s", "Notify__Sending__Timeout is '5s'; set a time, hh:mm:ss or d.hh:mm:ss.")]
    [InlineData("--Notify:DeliveryLog:Enabled=yes", "Notify__DeliveryLog__Enabled is 'yes'; set true or false.")]
    [InlineData("--Notify:RateLimits:PerUser=none", "Notify__RateLimits__PerUser is 'none'; set a whole number.")]
    [InlineData("--Notify:Telemetry:PrometheusPort=http", "Notify__Telemetry__PrometheusPort is 'http'; set a whole number.")]
    [InlineData("--OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL")]
    [InlineData("--OTEL_EXPORTER_OTLP_PROTOCOL=http", "OTEL_EXPORTER_OTLP_PROTOCOL must be grpc or http/protobuf.")]
    [InlineData("--Notify:PushServices:Allowed=push.example.com", "Notify__PushServices__Allowed is a list: set Notify__PushServices__Allowed__0,")]
    [InlineData("--Notify:PushServices:Allowed:0=ftp://push.example.com", "not an origin")]
    [InlineData("--Notify:Vapid:Previous:0=BAAA", "Notify__Vapid__Previous__0 is no setting by itself: set Notify__Vapid__Previous__0__PublicKey and Notify__Vapid__Previous__0__PrivateKey.")]
    [InlineData("--Notify:RateLimits:PerUser=-1", "PerUser")]
    [InlineData("--Notify:RateLimits:Window=00:00:00", "Window")]
    [InlineData("--Notify:Cors:AllowedOrigins:0=*", "Notify__Cors__AllowedOrigins")]
    [InlineData("--Notify:Cors:AllowedOrigins:0=https://*.example.com", "Notify__Cors__AllowedOrigins")]
    [InlineData("--Notify:Cors:AllowedOrigins:0=https://app.example.com/", "Notify__Cors__AllowedOrigins")]
    [InlineData("--Notify:Cors:AllowedOrigins:0=app.example.com", "Notify__Cors__AllowedOrigins")]
    [InlineData("--Notify:ForwardedHeaders:KnownProxies:0=proxy", "Notify__ForwardedHeaders__KnownProxies")]
    [InlineData("--Notify:ForwardedHeaders:KnownProxies:0=10.0.0.0/40", "Notify__ForwardedHeaders__KnownProxies")]
    [InlineData("--Notify:Encryption:Key=c2hvcnQ=", "Notify__Encryption__Key")]
    [InlineData("--Notify:Encryption:Previous:0=short", "Notify__Encryption__Previous__0")]
    [InlineData("--Notify:SecretsDirectory=/nowhere", "Notify__SecretsDirectory")]
    [InlineData("--Notify:LocalPushService:Url=http://example.com", "LocalPushService")]
    public void A_bad_setting_is_refused_at_start_by_its_name(string setting, string said) =>
        Assert.Contains(said, FailureOf("Development", setting), StringComparison.Ordinal);

    [Fact]
    public void Outside_development_an_authority_must_be_https() =>
        Assert.Contains("https URL", FailureOf("Production", "--Notify:Auth:Authority=http://login.example.com", "--Notify:Auth:Audience=notify"), StringComparison.Ordinal);

    [Fact]
    public void A_connection_string_of_another_database_is_refused_and_not_repeated()
    {
        var message = FailureOf("Development", "--Notify:Store=PostgreSql", "--ConnectionStrings:Notify=Server=db;Initial Catalog=Notify;Password=s3cret");

        Assert.Contains("ConnectionStrings__Notify cannot be read", message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_refusal_never_repeats_a_secret()
    {
        using var pair = VapidKeyPair.Generate();
        using var other = VapidKeyPair.Generate();

        var message = FailureOf("Development", $"--Notify:Vapid:PublicKey={pair.PublicKey}", $"--Notify:Vapid:PrivateKey={other.PrivateKey}", "--Notify:Auth:SigningKey=s3cret", "--Notify:Encryption:Key=s3cret");

        Assert.Contains("Notify__Vapid", message, StringComparison.Ordinal);
        Assert.DoesNotContain(other.PrivateKey, message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_setting_that_does_not_exist_is_told_of_by_its_name()
    {
        const string NoSetting = "There is no setting ";
        using var logs = new LogCollector();

        await using var app = NotifyApplication.Create(
            ["--environment=Development", "--Notify:Sending:MaxAtempts=3", "--Notify:Sendng:Timeout=00:00:05", "--Notify:Auth:Key=x", "--notify:sending:maxattempts=3"],
            builder => builder.Logging.AddProvider(logs));

        Assert.Equal(
            ["Notify__Auth__Key", "Notify__Sending__MaxAtempts", "Notify__Sendng__Timeout"],
            logs.Lines.Where(line => line.Contains(NoSetting, StringComparison.Ordinal)).Select(line => line.Split(NoSetting)[1].Split(',')[0]));
    }

    private static string FailureOf(string environment, params string[] settings)
    {
        var thrown = Assert.ThrowsAny<Exception>(() => NotifyApplication.Create([$"--environment={environment}", .. settings]));
        return string.Join("\n", (thrown as AggregateException)?.InnerExceptions.Cast<OptionsValidationException>() ?? [Assert.IsType<OptionsValidationException>(thrown)]);
    }
}
